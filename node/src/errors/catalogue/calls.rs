//! `E05`: calls of services.

use super::{Entry, entry};
use crate::errors::Code;

pub(super) const ENTRIES: &[Entry] = &[
    entry(
        Code::E0502,
        ["nobody serves it", "没有提供者"],
        [
            "No node within reach serves a service of this name, or not where it was asked for. No handler has seen the call.",
            "可达的节点中没有任何一个提供此名称的服务，或指定之处没有。没有处理程序收到该调用。",
        ],
        [
            "`node rpc ls` lists the services; `node why service NAME` tells where it is missing. Calling again is safe.",
            "`node rpc ls` 列出服务；`node why service 名称` 说明缺在何处。可安全重试。",
        ],
    ),
    entry(
        Code::E0503,
        ["the service is overloaded", "服务过载"],
        [
            "Every provider that was tried has as many calls as it takes. No handler has seen the call.",
            "尝试过的每个提供者都已达到其调用上限。没有处理程序收到该调用。",
        ],
        [
            "Call again a little later, or add providers; `node rpc ls NAME` shows how much each has to do.",
            "稍后重试，或增加提供者；`node rpc ls 名称` 显示各自的负载。",
        ],
    ),
    entry(
        Code::E0504,
        ["no answer in time, the outcome is unknown", "未及时应答，结果未知"],
        [
            "The deadline passed while the call was on its way, waited, or ran; the detail says which. It may have been carried out.",
            "截止时间到来时调用正在途中、排队或执行，详情中已说明。它可能已被执行。",
        ],
        [
            "Repeat it only if running it twice does no harm; a longer `--timeout` or `timeout_ms` gives it more time.",
            "仅当重复执行无害时才重试；更长的 `--timeout` 或 `timeout_ms` 可给更多时间。",
        ],
    ),
    entry(
        Code::E0505,
        ["the handler answered with an error", "处理程序返回错误"],
        [
            "The call arrived and its handler refused or failed, with a code and words of its own.",
            "调用已送达，处理程序以其自己的代码和说明拒绝或报错。",
        ],
        [
            "The code is the application's: ask whoever wrote the service.",
            "错误码属于应用程序：请询问该服务的作者。",
        ],
    ),
    entry(
        Code::E0506,
        ["the call was lost, the outcome is unknown", "调用丢失，结果未知"],
        [
            "The provider restarted, went out of reach or lost the call after it may have begun. It may have been carried out.",
            "提供者在调用可能已开始后重启、失联或丢失了它。它可能已被执行。",
        ],
        ["Repeat it only if running it twice does no harm.", "仅当重复执行无害时才重试。"],
    ),
    entry(
        Code::E0507,
        ["the call never left", "调用未曾发出"],
        [
            "The deadline passed before the call could be sent. No handler has seen it.",
            "截止时间到来时调用尚未发出。没有处理程序收到它。",
        ],
        ["Call again, with more time.", "给更多时间后重试。"],
    ),
    entry(
        Code::E0508,
        ["that is no name of a service", "服务名称无效"],
        [
            "A service has a name of 1 to 128 bytes without white space and control characters. Nothing was done.",
            "服务名称为 1 到 128 字节，不含空白和控制字符。未执行任何操作。",
        ],
        ["Check the spelling; `node rpc ls` lists the services.", "检查拼写；`node rpc ls` 列出服务。"],
    ),
    entry(
        Code::E0509,
        ["the handler went away", "处理程序已消失"],
        [
            "The program that served the call crashed, panicked or ended without an answer. It may have carried it out in part.",
            "提供服务的程序崩溃、异常或未应答即结束。调用可能已部分执行。",
        ],
        [
            "Look at the log of the program that serves it; repeat the call only if running it twice does no harm.",
            "查看提供服务的程序的日志；仅当重复执行无害时才重试。",
        ],
    ),
    entry(
        Code::E0510,
        ["the service is served here already", "本节点已提供该服务"],
        [
            "Another program serves this service at the same node under the same client name.",
            "同一节点上已有程序以相同的客户端名称提供该服务。",
        ],
        ["Give another `--as NAME`, or end the other program.", "使用另一个 `--as 名称`，或结束另一个程序。"],
    ),
];
