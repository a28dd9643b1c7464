//! `E02`, `W02`: identity and rights.

use super::{Entry, entry};
use crate::errors::Code;

pub(super) const ENTRIES: &[Entry] = &[
    entry(
        Code::E0201,
        ["the identity file is unusable", "身份文件不可用"],
        [
            "The file does not hold a key of this program, or cannot be read or written.",
            "文件中不是本程序的密钥，或无法读写。",
        ],
        [
            "Restore it from a backup. Deleting it makes a new identity, which other nodes refuse under the old name.",
            "从备份恢复。删除会产生新身份，其他节点会拒绝它使用旧名称。",
        ],
    ),
    entry(
        Code::E0202,
        ["the identity file is readable by others", "身份文件可被他人读取"],
        ["Whoever reads the file can act as this node.", "读到该文件的人可以冒充此节点。"],
        [
            "`chmod 600 FILE`; if somebody else may have read it, give the node a new name and a new identity.",
            "执行 `chmod 600 文件`；若可能已被他人读取，请更换名称和身份。",
        ],
    ),
    entry(
        Code::E0203,
        ["a name is used with another key", "名称对应的密钥已改变"],
        [
            "A name is pinned to the first key it was seen with. Either that node lost its identity file, or somebody else uses its name.",
            "名称与首次见到的密钥绑定。要么该节点丢失了身份文件，要么有人冒用其名称。",
        ],
        ["Restore the node's identity file, or give the node a new name.", "恢复该节点的身份文件，或为其更换名称。"],
    ),
    entry(
        Code::E0204,
        ["this identity is in use elsewhere", "此身份在别处使用中"],
        [
            "Another process runs with the same identity: a copied data directory, or a restored snapshot of a machine.",
            "另一个进程使用同一身份：数据目录被复制，或虚拟机从快照恢复。",
        ],
        [
            "Give each node its own data directory; stop the other process.",
            "每个节点使用自己的数据目录；停止另一个进程。",
        ],
    ),
    entry(
        Code::E0205,
        ["not permitted to control this node", "无权控制此节点"],
        [
            "The control socket answers only the user that runs the node, and root.",
            "控制套接字只响应运行节点的用户和 root。",
        ],
        ["Run the command as that user.", "以该用户身份执行命令。"],
    ),
    entry(
        Code::E0206,
        ["no token to join with", "没有用于加入的令牌"],
        [
            "`--join` in development mode looks for the token that a node of the same user left in the runtime directory.",
            "开发模式下 `--join` 会在运行目录中查找同一用户的节点留下的令牌。",
        ],
        [
            "Start the other node first with `node run --dev`, or name a file with `--token-file`.",
            "先用 `node run --dev` 启动另一个节点，或用 `--token-file` 指定文件。",
        ],
    ),
    entry(
        Code::E0207,
        ["TLS files cannot be used", "TLS 文件不可用"],
        [
            "A certificate or key is not PEM, does not belong to the other, or cannot be read.",
            "证书或私钥不是 PEM、互不匹配或无法读取。",
        ],
        [
            "Check with `openssl x509 -in CERT -noout -text` and compare the public keys of both files.",
            "用 `openssl x509 -in 证书 -noout -text` 检查，并比较两者的公钥。",
        ],
    ),
    entry(
        Code::E0208,
        ["the token file cannot be made", "无法创建令牌文件"],
        [
            "There is a file of that name already, or its folder cannot be written to. An existing token is never overwritten.",
            "同名文件已存在，或目录不可写。已有的令牌不会被覆盖。",
        ],
        [
            "Choose another name. If the old token is not needed by any node, delete its file first.",
            "换一个文件名；若旧令牌已无节点使用，请先删除该文件。",
        ],
    ),
    entry(
        Code::W0201,
        ["the token is the published default", "使用了公开的默认令牌"],
        [
            "`default_token` stands in the template of Majula; everybody knows it.",
            "`default_token` 出自 Majula 模板，人人皆知。",
        ],
        [
            "Make one with `node token create` and give it to every node of the mesh.",
            "用 `node token create` 生成一个随机令牌，并配置到网络中的每个节点。",
        ],
    ),
    entry(
        Code::W0202,
        ["the API asks for no token", "API 不要求令牌"],
        [
            "Whoever reaches the listener may send and receive through `/majula`, as it was with Majula itself.",
            "任何能访问该监听地址的人都可通过 `/majula` 收发消息，与 Majula 本身相同。",
        ],
        [
            "Set `api.majula.token: required` and give every program a token of `api.tokens`, or listen on 127.0.0.1.",
            "设置 `api.majula.token: required` 并给每个程序一个 `api.tokens` 令牌，或只监听 127.0.0.1。",
        ],
    ),
];
