//! `E03`: starting a node, and talking to one that runs.

use super::{Entry, entry};
use crate::errors::Code;

pub(super) const ENTRIES: &[Entry] = &[
    entry(
        Code::E0301,
        ["an address cannot be listened on", "无法监听地址"],
        [
            "The port is taken by another process, the address is not of this machine, or the port needs more rights.",
            "端口被占用、地址不属于本机，或该端口需要更高权限。",
        ],
        [
            "`ss -ltnp` shows who has the port. Port 0 takes any free one.",
            "用 `ss -ltnp` 查看谁占用端口；端口 0 表示任选空闲端口。",
        ],
    ),
    entry(
        Code::E0302,
        ["the data directory is in use", "数据目录正在使用"],
        [
            "Another node runs with this data directory; two would destroy each other's identity and history.",
            "另一个节点正在使用该数据目录；同时使用会相互破坏。",
        ],
        [
            "`node status` shows the running one. Give each node its own `node.data_dir`.",
            "用 `node status` 查看正在运行的节点；各节点使用各自的 `node.data_dir`。",
        ],
    ),
    entry(
        Code::E0303,
        ["the data directory cannot be used", "数据目录不可用"],
        [
            "It cannot be created, read or written, or its file system is full or read-only.",
            "无法创建或读写，或文件系统已满或只读。",
        ],
        ["Check the path, the owner and the free space.", "检查路径、属主和剩余空间。"],
    ),
    entry(
        Code::E0304,
        ["no running node found", "没有正在运行的节点"],
        [
            "No control socket of a running node was found, or nobody answers on it.",
            "没有找到运行中节点的控制套接字，或无人应答。",
        ],
        [
            "Start one with `node run cfg.yaml` or `node run --dev`. A node of another user is reached as that user.",
            "用 `node run cfg.yaml` 或 `node run --dev` 启动；其他用户的节点须以该用户身份访问。",
        ],
    ),
    entry(
        Code::E0305,
        ["several nodes run here", "本机有多个节点"],
        [
            "More than one node of this user runs on this machine, and the command needs to know which one is meant.",
            "此用户在本机运行着多个节点，需要指明是哪一个。",
        ],
        ["Name it with `--node ID` or `--socket PATH`.", "用 `--node ID` 或 `--socket 路径` 指定。"],
    ),
    entry(
        Code::E0306,
        ["the control socket speaks another language", "控制协议不一致"],
        [
            "The command and the running node are of versions that do not understand each other, or the socket is of another program.",
            "命令与运行中的节点版本不兼容，或该套接字属于其他程序。",
        ],
        [
            "Compare `node version` with the running one; restart the node after an update.",
            "比较两者版本；更新后重启节点。",
        ],
    ),
    entry(
        Code::E0307,
        ["the control socket cannot be opened", "无法打开控制套接字"],
        [
            "The runtime directory is not writable, belongs to somebody else, or the path is longer than sockets allow.",
            "运行目录不可写、属于他人，或路径超过套接字允许的长度。",
        ],
        [
            "Set `control.socket` to a short path in a directory of the user that runs the node.",
            "将 `control.socket` 设为该用户目录下的较短路径。",
        ],
    ),
    entry(
        Code::E0308,
        ["the node did not answer in time", "节点未及时应答"],
        [
            "The running node took the request, but the answer did not come within `--timeout`.",
            "节点接受了请求，但未在 `--timeout` 内应答。",
        ],
        [
            "Repeat with a longer `--timeout`. For a message the outcome is unknown: it may have been delivered.",
            "用更长的 `--timeout` 重试。对消息而言结果未知：可能已送达。",
        ],
    ),
    entry(
        Code::E0309,
        ["the log cannot be written", "无法写日志"],
        [
            "The log file cannot be created, or its level or filter cannot be understood.",
            "无法创建日志文件，或日志级别、过滤规则无法识别。",
        ],
        ["Check `log.file.path` and its folder, and `log.level`.", "检查 `log.file.path` 及其目录，以及 `log.level`。"],
    ),
    entry(
        Code::E0310,
        ["the node stopped because of an internal error", "节点因内部错误停止"],
        ["Something failed that should not be able to. Its log says what.", "发生了本不该发生的错误，详见日志。"],
        [
            "Please report it with the log and the configuration, without secrets.",
            "请附上日志和去除密钥的配置进行反馈。",
        ],
    ),
];
