//! `E04`: messages, pings and traces.

use super::{Entry, entry};
use crate::errors::Code;

pub(super) const ENTRIES: &[Entry] = &[
    entry(
        Code::E0401,
        ["no route to the node", "没有到达该节点的路由"],
        [
            "No path leads to a node of this name: it is off, cut off, or the name is not right. Nothing was delivered.",
            "没有通往该名称节点的路径：它已关闭、被隔开，或名称有误。消息未送达。",
        ],
        [
            "`node routes` lists who is within reach; `node find ID` asks the neighbours.",
            "`node routes` 列出可达的节点；`node find ID` 询问邻居。",
        ],
    ),
    entry(
        Code::E0402,
        ["the node has no such client", "该节点没有这个客户端"],
        [
            "The node was reached, but nobody is there under this client name. Nothing was delivered.",
            "节点已到达，但没有此名称的客户端。消息未送达。",
        ],
        [
            "A client is present while `node recv --client NAME` or a program runs there.",
            "在那里运行 `node recv --client 名称` 或相应程序时客户端才在线。",
        ],
    ),
    entry(
        Code::E0403,
        ["the outcome is unknown", "结果未知"],
        [
            "No answer came before the deadline, or the receiver restarted in between. The message may have been delivered.",
            "截止时间前没有应答，或接收方中途重启。消息可能已送达。",
        ],
        [
            "Repeat it only if receiving it twice does no harm; a longer `--timeout` gives a slow path more time.",
            "仅当重复接收无害时才重发；更长的 `--timeout` 可给慢路径更多时间。",
        ],
    ),
    entry(
        Code::E0404,
        ["the message is too large", "消息太大"],
        [
            "The payload is larger than `messaging.max_payload` allows. Nothing was sent.",
            "内容超过 `messaging.max_payload`。消息未发送。",
        ],
        [
            "Send less at a time, or raise the limit on every node that it crosses.",
            "分批发送，或在沿途每个节点提高上限。",
        ],
    ),
    entry(
        Code::E0405,
        ["too much is waiting", "排队过多"],
        [
            "Messages for this receiver pile up at the sender. Nothing of this one was sent.",
            "发往此接收方的消息在本地堆积。本条未发送。",
        ],
        ["Try again later, and send more slowly.", "稍后重试，并降低发送速度。"],
    ),
    entry(
        Code::E0406,
        ["the receiver is overloaded", "接收方过载"],
        [
            "The receiving application took nothing for five seconds while its inbox was full; or it is a client whose share of the inbox is full. The message was not delivered.",
            "接收程序的收件箱已满且五秒内未取走任何消息；或者接收方是一个客户端，而它在收件箱中的份额已满。消息未送达。",
        ],
        ["Is anybody receiving there? `node recv` does.", "确认那边有程序在接收，例如 `node recv`。"],
    ),
    entry(
        Code::E0407,
        ["the node is shutting down", "节点正在关闭"],
        ["One of the two ends is shutting down and takes nothing new.", "收发双方之一正在关闭，不再接受新消息。"],
        ["Try again when it is back.", "等它恢复后重试。"],
    ),
    entry(
        Code::E0408,
        ["some of many failed", "部分失败"],
        [
            "Of several receivers, at least one did not acknowledge; the result names them.",
            "多个接收方中至少一个未确认，结果中已列出。",
        ],
        [
            "Look at each of them with `node ping ID`, and repeat the message for those only.",
            "用 `node ping ID` 逐个检查，并只对它们重发。",
        ],
    ),
    entry(
        Code::E0409,
        ["not permitted by the receiver", "接收方不允许"],
        ["The receiver's policy forbids it. Nothing was delivered.", "接收方的策略禁止。消息未送达。"],
        ["Ask whoever runs that node.", "联系该节点的管理者。"],
    ),
    entry(
        Code::E0410,
        ["nobody knows this node", "无人知道该节点"],
        [
            "Neither this node nor any neighbour that answered has heard of the name.",
            "本节点和应答的邻居都没有听说过该名称。",
        ],
        ["Check the spelling; `node routes` lists the known names.", "检查拼写；`node routes` 列出已知的名称。"],
    ),
    entry(
        Code::E0411,
        ["an argument cannot be understood", "参数无法识别"],
        [
            "A node or client name, an address or a time on the command line is malformed.",
            "命令行上的节点名、客户端名、地址或时间格式不对。",
        ],
        [
            "Names have 1 to 64 characters of letters, digits, `.`, `_` and `-`; durations look like `5s`.",
            "名称为 1 到 64 个字符：字母、数字、`.`、`_`、`-`；时长形如 `5s`。",
        ],
    ),
    entry(
        Code::E0412,
        ["there is nobody to receive it", "没有接收者"],
        [
            "A broadcast reaches every node within reach, and at present there is none.",
            "广播发给所有可达节点，而目前一个也没有。",
        ],
        ["`node peers` shows the links and why they are down.", "`node peers` 显示链路及其断开的原因。"],
    ),
    entry(
        Code::E0413,
        ["the client name is taken", "客户端名称已被占用"],
        ["Another program receives under this client name on the same node.", "同一节点上已有程序以此名称接收。"],
        ["Choose another name, or end the other program.", "换一个名称，或结束另一个程序。"],
    ),
    entry(
        Code::E0414,
        ["refused for a reason unknown here", "因未知原因被拒绝"],
        [
            "The other node is of a newer version and refused with a reason that this one does not know. Nothing was delivered.",
            "对方节点版本较新，其拒绝原因本版本无法识别。消息未送达。",
        ],
        ["Update this node.", "升级本节点。"],
    ),
    entry(
        Code::E0415,
        ["that is no topic, pattern or group", "主题、模式或队列组无效"],
        [
            "A topic is tokens with dots between them, at most 16 and 255 bytes, without white space; only in a pattern may a token be `*`, or the last one `>`. A group has 1 to 64 bytes. Nothing was done.",
            "主题由点分隔的段组成，至多 16 段、255 字节，不含空白；仅在模式中段可为 `*`，最后一段可为 `>`。队列组为 1 到 64 字节。未执行任何操作。",
        ],
        [
            "Write for example `orders.eu.created` to publish, `orders.*.created` or `orders.>` to subscribe, in quotes.",
            "例如发布用 `orders.eu.created`，订阅用 `orders.*.created` 或 `orders.>`，并加引号。",
        ],
    ),
];
