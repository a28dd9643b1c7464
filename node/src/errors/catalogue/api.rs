//! `E15`: the API for programs.

use super::{Entry, entry};
use crate::errors::Code;

pub(super) const ENTRIES: &[Entry] = &[
    entry(
        Code::E1501,
        ["the body cannot be read", "请求体无法读取"],
        [
            "The body is not what its content type says, or ended early. Nothing was done.",
            "请求体与其内容类型不符，或提前结束。未执行任何操作。",
        ],
        [
            "Send valid JSON with `Content-Type: application/json`, or raw bytes as `application/octet-stream`.",
            "以 `application/json` 发送合法的 JSON，或以 `application/octet-stream` 发送原始字节。",
        ],
    ),
    entry(
        Code::E1502,
        ["a parameter is missing or wrong", "参数缺失或有误"],
        [
            "A part of the path, a parameter or a field is missing, unknown, or outside its range. Nothing was done.",
            "路径、参数或字段缺失、未知或超出范围。未执行任何操作。",
        ],
        [
            "The detail names it; `/api/v1/openapi.json` describes every parameter.",
            "详情中已指明；`/api/v1/openapi.json` 描述了所有参数。",
        ],
    ),
    entry(
        Code::E1503,
        ["the content type is not understood", "不支持的内容类型"],
        [
            "The route takes other kinds of body than the request has. Nothing was done.",
            "该接口不接受此类型的请求体。未执行任何操作。",
        ],
        ["Use one of the types that the detail names.", "使用详情中列出的类型之一。"],
    ),
    entry(
        Code::E1504,
        ["no acceptable form of the answer", "没有可接受的应答格式"],
        [
            "The `Accept` header allows nothing that the route can answer with. Nothing was done.",
            "`Accept` 头不允许该接口能给出的任何格式。未执行任何操作。",
        ],
        [
            "Leave the header out, or accept `application/json`, and `text/event-stream` for streams.",
            "去掉该头，或接受 `application/json`；流则接受 `text/event-stream`。",
        ],
    ),
    entry(
        Code::E1505,
        ["the method is not allowed here", "此处不允许该方法"],
        ["The path exists, but not for this method. Nothing was done.", "路径存在，但不支持该方法。未执行任何操作。"],
        ["The `Allow` header of the answer lists the methods.", "应答的 `Allow` 头列出了可用方法。"],
    ),
    entry(
        Code::E1506,
        ["there is nothing under this path", "该路径下没有内容"],
        [
            "The path belongs to no route of this version, or what it names does not exist.",
            "该路径不属于此版本的任何接口，或其所指不存在。",
        ],
        ["`/api/v1/openapi.json` lists every route.", "`/api/v1/openapi.json` 列出所有接口。"],
    ),
    entry(
        Code::E1507,
        ["the request is too large", "请求太大"],
        [
            "The body or message is larger than `api.limits` allows. Nothing was done.",
            "请求体或消息超过 `api.limits` 的限制。未执行任何操作。",
        ],
        [
            "Send less at a time, or raise `api.limits.body` or `api.limits.message`.",
            "分批发送，或提高 `api.limits.body` 或 `api.limits.message`。",
        ],
    ),
    entry(
        Code::E1508,
        ["too many requests", "请求过多"],
        [
            "The caller sent more requests or messages per second than it may. Nothing was done.",
            "调用者每秒请求或消息数超过限制。未执行任何操作。",
        ],
        [
            "Wait as long as `Retry-After` says; the limits are in `api.limits`.",
            "按 `Retry-After` 等待；限制见 `api.limits`。",
        ],
    ),
    entry(
        Code::E1509,
        ["the idempotency key was used for something else", "幂等键已用于其他请求"],
        [
            "The same `Idempotency-Key` came before with another method, path or body. Nothing was done.",
            "相同的 `Idempotency-Key` 曾用于不同的方法、路径或请求体。未执行任何操作。",
        ],
        [
            "Draw a new key for every new request, and repeat a request unchanged.",
            "每个新请求使用新键；重试时保持请求不变。",
        ],
    ),
    entry(
        Code::E1510,
        ["the first request with this key still runs", "该键的首个请求仍在执行"],
        [
            "A request with the same `Idempotency-Key` is under way. This one was not carried out.",
            "具有相同 `Idempotency-Key` 的请求正在执行。本次未执行。",
        ],
        ["Repeat it a little later to get the answer of the first.", "稍后重试即可得到首个请求的应答。"],
    ),
    entry(
        Code::E1511,
        ["pages of this origin may not call", "不允许该来源的页面调用"],
        [
            "A browser sent the request for a page of another site, which could misuse the rights of its reader.",
            "浏览器代表其他网站的页面发送了请求，可能滥用用户的权限。",
        ],
        [
            "List the origin in `api.cors`, or in `api.origins` for WebSockets.",
            "将该来源加入 `api.cors`；WebSocket 则加入 `api.origins`。",
        ],
    ),
    entry(
        Code::E1512,
        ["not available in this version", "此版本不提供"],
        [
            "The route or method belongs to a part that this version does not have yet. Nothing was done.",
            "该接口或方法属于此版本尚未提供的部分。未执行任何操作。",
        ],
        [
            "The detail names the part; the change log tells when it comes.",
            "详情中指明了所属部分；更新日志会说明何时提供。",
        ],
    ),
    entry(
        Code::E1513,
        ["the listener is full", "监听器已满"],
        [
            "As many connections or stored requests as `api.limits` allows are open already.",
            "打开的连接或保存的请求已达 `api.limits` 上限。",
        ],
        ["Try again later, close what is not needed, or raise the limit.", "稍后重试，关闭不需要的连接，或提高上限。"],
    ),
    entry(
        Code::E1514,
        ["the client did not keep up", "客户端跟不上"],
        [
            "More waited for the client than `api.slow_client` allows, so it was cut off or missed messages.",
            "等待该客户端的消息超过 `api.slow_client` 的限制，因此被断开或错过消息。",
        ],
        ["Read faster, subscribe to less, or raise the bounds.", "加快读取、减少订阅，或提高上限。"],
    ),
    entry(
        Code::E1515,
        ["no valid token", "没有有效的令牌"],
        [
            "The request shows no token, or one that this node does not know. Nothing was done.",
            "请求没有令牌，或令牌不为本节点所知。未执行任何操作。",
        ],
        [
            "Send `Authorization: Bearer TOKEN` with a token of `api.tokens`.",
            "发送 `Authorization: Bearer 令牌`，令牌来自 `api.tokens`。",
        ],
    ),
    entry(
        Code::E1516,
        ["the token does not allow it", "令牌无此权限"],
        [
            "The caller is known, but its token does not allow this. Nothing was done.",
            "调用者已识别，但其令牌不允许此操作。未执行任何操作。",
        ],
        [
            "Add the permission that the detail names to the `allow` of the token.",
            "将详情中的权限加入该令牌的 `allow`。",
        ],
    ),
];
