//! `E01`, `W01`: the configuration.

use super::{Entry, entry};
use crate::errors::Code;

pub(super) const ENTRIES: &[Entry] = &[
    entry(
        Code::E0101,
        ["not valid YAML", "YAML 语法错误"],
        [
            "The text cannot be read as YAML at this place, often because of indentation, a tab or a missing quote.",
            "此处无法按 YAML 解析，常见原因是缩进、制表符或缺少引号。",
        ],
        [
            "Look at the line named and the one above it. Indent with spaces only; quote values that contain `: ` or `#`.",
            "检查所指的行和上一行；只用空格缩进；含有“: ”或“#”的值要加引号。",
        ],
    ),
    entry(
        Code::E0102,
        ["key given twice", "键重复"],
        [
            "The same key stands twice in one section. One of the two would silently win, so neither is taken.",
            "同一节中同一个键出现两次。为避免悄悄覆盖，两个都不采用。",
        ],
        ["Remove one of the two; the note names the place of the first.", "删除其中一个；提示中给出第一个的位置。"],
    ),
    entry(
        Code::E0103,
        ["unknown key", "未知的键"],
        [
            "This section has no such key. Unknown keys are refused, because a typing error would otherwise do nothing.",
            "此节没有这个键。未知的键会被拒绝，否则拼写错误会悄悄失效。",
        ],
        [
            "Take the name that is suggested, or see `node config default` for every key with its default.",
            "采用建议的名称，或用 `node config default` 查看全部键及默认值。",
        ],
    ),
    entry(
        Code::E0104,
        ["wrong kind of value", "值的类型不对"],
        [
            "A list stands where a text is expected, a text where a section is expected, or the like.",
            "例如应为文本处写了列表，应为小节处写了文本。",
        ],
        [
            "Write the kind of value that the message asks for; `node config default` shows an example of each.",
            "按提示写成所需的类型；`node config default` 中每个键都有示例。",
        ],
    ),
    entry(
        Code::E0105,
        ["a value is missing", "缺少值"],
        ["A key that is needed is not there, or stands there without a value.", "缺少必需的键，或键没有值。"],
        ["Add the value. A key that shall keep its default is left out altogether.", "补上值；要用默认值就整行删去。"],
    ),
    entry(
        Code::E0106,
        ["undefined variable", "变量未定义"],
        [
            "The text contains `${NAME}`, but no environment variable of this name is set.",
            "文本中有 `${NAME}`，但没有设置该环境变量。",
        ],
        [
            "Set the variable, give a default as `${NAME:-value}`, or write `$${` for a literal `${`.",
            "设置该变量，或用 `${NAME:-默认值}`，或用 `$${` 表示字面的 `${`。",
        ],
    ),
    entry(
        Code::E0107,
        ["not a duration", "时长格式不对"],
        [
            "A duration is a whole number with a unit: ns, us, ms, s, m, h or d. A bare number would leave the unit to guess.",
            "时长是整数加单位：ns、us、ms、s、m、h、d。没有单位就只能猜。",
        ],
        ["Write for example `500ms`, `30s` or `1m30s`.", "例如写 `500ms`、`30s` 或 `1m30s`。"],
    ),
    entry(
        Code::E0108,
        ["not a size", "大小格式不对"],
        [
            "A size is a whole number with a unit: B, KiB, MiB, GiB (powers of 1024) or KB, MB, GB (powers of 1000).",
            "大小是整数加单位：B、KiB、MiB、GiB（1024 进制）或 KB、MB、GB（1000 进制）。",
        ],
        ["Write for example `64KiB` or `1MiB`.", "例如写 `64KiB` 或 `1MiB`。"],
    ),
    entry(
        Code::E0109,
        ["value out of range", "值超出范围"],
        ["The value is smaller or larger than this key allows.", "值小于或大于此键允许的范围。"],
        ["Choose a value within the range that the message names.", "在提示的范围内选择。"],
    ),
    entry(
        Code::E0110,
        ["not one of the possible values", "不在可选值之中"],
        ["This key takes one of a few words only.", "此键只接受少数几个固定的词。"],
        ["Take one of the words that the message lists.", "采用提示中列出的词之一。"],
    ),
    entry(
        Code::E0111,
        ["not a valid name", "名称不合法"],
        [
            "Names have 1 to 64 characters: letters, digits, `.`, `_` and `-`.",
            "名称为 1 到 64 个字符：字母、数字、`.`、`_`、`-`。",
        ],
        [
            "Choose a name from these characters. For people there is `node.name`, which may be any text.",
            "用这些字符命名；给人看的名称写在 `node.name`，可为任意文本。",
        ],
    ),
    entry(
        Code::E0112,
        ["not a valid address", "地址不合法"],
        [
            "An address is `tcp://HOST:PORT` or `tls://HOST:PORT`. To listen, HOST must be an IP address of this machine.",
            "地址形如 `tcp://主机:端口` 或 `tls://主机:端口`；监听时主机须为本机 IP。",
        ],
        [
            "Write for example `tcp://0.0.0.0:29090`; an IPv6 address stands in brackets: `tcp://[::]:29090`.",
            "例如 `tcp://0.0.0.0:29090`；IPv6 要加方括号：`tcp://[::]:29090`。",
        ],
    ),
    entry(
        Code::E0113,
        ["not an IP network", "不是合法的网段"],
        [
            "An entry of an IP list is an address or a network in CIDR notation, with no bits set behind the prefix.",
            "IP 列表的每一项是地址或 CIDR 网段，前缀之后不能有非零位。",
        ],
        [
            "Write for example `10.0.0.0/8`, `192.0.2.7` or `2001:db8::/32`.",
            "例如 `10.0.0.0/8`、`192.0.2.7`、`2001:db8::/32`。",
        ],
    ),
    entry(
        Code::E0114,
        ["not available in this version", "此版本尚不支持"],
        [
            "The setting belongs to a feature that this version does not have. It is refused, since ignoring it would mislead.",
            "该设置属于此版本还没有的功能。忽略会造成误解，因此拒绝。",
        ],
        [
            "Remove it, or take a version that has the feature (`node version`).",
            "删除它，或使用具备该功能的版本（`node version`）。",
        ],
    ),
    entry(
        Code::E0115,
        ["values contradict each other", "取值相互矛盾"],
        ["Two values are each allowed, but not together.", "两个值单独都合法，但不能同时使用。"],
        ["Change one of the two as the message says.", "按提示修改其中一个。"],
    ),
    entry(
        Code::E0116,
        ["open to others without authentication", "对外开放却没有认证"],
        [
            "A listener that other machines can reach would accept anybody: `mesh.auth.mode` is `open`.",
            "可被其他机器访问的监听地址将接受任何人：`mesh.auth.mode` 为 `open`。",
        ],
        [
            "Set `mesh.auth.mode: token` with a token, or listen on 127.0.0.1 only.",
            "改用 `mesh.auth.mode: token` 并配置令牌，或只监听 127.0.0.1。",
        ],
    ),
    entry(
        Code::E0117,
        ["a secret cannot be read", "无法读取密钥"],
        [
            "The file or environment variable that holds the secret is not there, not readable, or empty.",
            "保存密钥的文件或环境变量不存在、不可读或为空。",
        ],
        [
            "Check the path or the name of the variable, and the rights of the user that the node runs as.",
            "检查路径或变量名，以及运行节点的用户的权限。",
        ],
    ),
    entry(
        Code::E0118,
        ["a secret's file is readable by others", "密钥文件可被他人读取"],
        [
            "The file that holds a secret can be read by its group or by everybody.",
            "密钥文件可被同组用户或所有人读取。",
        ],
        [
            "`chmod 600 FILE`, and consider whether the secret must be replaced.",
            "执行 `chmod 600 文件`，并考虑是否需要更换密钥。",
        ],
    ),
    entry(
        Code::E0119,
        ["a file cannot be read", "无法读取文件"],
        [
            "The file is not there, not readable, not UTF-8, or larger than a configuration may be.",
            "文件不存在、不可读、不是 UTF-8，或超过配置文件的大小上限。",
        ],
        [
            "Check the path and the rights. Paths in a configuration are relative to the folder of the file.",
            "检查路径和权限；配置中的路径相对于该文件所在目录。",
        ],
    ),
    entry(
        Code::E0120,
        ["unknown version of the configuration", "配置版本未知"],
        [
            "Every file starts with `version: 1`, so that later versions can tell what it means.",
            "每个文件以 `version: 1` 开头，以便后续版本识别。",
        ],
        ["Add the line `version: 1`.", "加上一行 `version: 1`。"],
    ),
    entry(
        Code::E0121,
        ["the node would connect to itself", "节点连接到自己"],
        ["An entry of `mesh.connect` names this node's own id.", "`mesh.connect` 中有一项是本节点自己的 id。"],
        [
            "Remove the entry, or give the node its own `node.id`: a copied file often keeps the id of the other machine.",
            "删除该项，或设置自己的 `node.id`：复制来的文件常保留另一台机器的 id。",
        ],
    ),
    entry(
        Code::E0122,
        ["listed twice", "列表中重复"],
        ["The same address or the same peer stands twice in a list.", "同一地址或同一节点在列表中出现两次。"],
        ["Remove one of the two.", "删除其中一个。"],
    ),
    entry(
        Code::E0123,
        ["TLS is not completely configured", "TLS 配置不完整"],
        [
            "A `tls://` listener needs `mesh.tls.cert` and `mesh.tls.key`, and both need each other.",
            "`tls://` 监听需要 `mesh.tls.cert` 和 `mesh.tls.key`，两者缺一不可。",
        ],
        [
            "Give both files, or use `tcp://`: links over it are encrypted and authenticated as well.",
            "给出两个文件，或使用 `tcp://`：其链路同样加密并认证。",
        ],
    ),
    entry(
        Code::E0124,
        ["an override cannot be applied", "覆盖项无法应用"],
        [
            "`--set` wants `path.to.key=value`, and every part of the path but the last must be a section or a list item.",
            "`--set` 的格式为 `路径.键=值`；除最后一段外都必须是小节或列表项。",
        ],
        [
            "See `node config show` for the paths. A list item is named by its id or its position.",
            "用 `node config show` 查看路径；列表项用 id 或序号指定。",
        ],
    ),
    entry(
        Code::E0125,
        ["a file of another system cannot be taken over", "无法转换其他系统的配置文件"],
        [
            "The file looks like one of Majula or FFMesh, but lacks something without which no node can be started.",
            "文件看起来是 Majula 或 FFMesh 的配置，但缺少启动节点所必需的内容。",
        ],
        [
            "Complete the file, or write a new one after `node config default`.",
            "补全该文件，或参照 `node config default` 重写。",
        ],
    ),
    entry(
        Code::E0126,
        ["the admin listener must stay on this machine", "管理监听只能在本机"],
        [
            "The admin listener has no authentication in this version; other machines must not reach it.",
            "此版本的管理监听没有认证，不能让其他机器访问。",
        ],
        [
            "Use 127.0.0.1 or ::1, and a reverse proxy with authentication in front of it where others need it.",
            "使用 127.0.0.1 或 ::1；他人需要时在前面放带认证的反向代理。",
        ],
    ),
    entry(
        Code::E0127,
        ["the token can be guessed", "令牌可以被猜出"],
        [
            "It has less than 16 characters, or is one that everybody knows. Whoever guesses it is let in.",
            "令牌少于 16 个字符，或是人人皆知的令牌。猜出它的人即可进入。",
        ],
        [
            "Make one with `node token create --file PATH` and give it to every node. `mesh.auth.allow_weak_tokens: true` keeps this one.",
            "用 `node token create --file 路径` 生成，并配置到每个节点。`mesh.auth.allow_weak_tokens: true` 可保留现有令牌。",
        ],
    ),
    entry(
        Code::E0128,
        ["an open API must stay on this machine", "无令牌的 API 只能在本机"],
        [
            "The API listens where other machines reach it, and no token is configured: anybody could use the mesh.",
            "API 监听在其他机器可达的地址，却没有配置令牌：任何人都能使用网络。",
        ],
        [
            "Add an entry to `api.tokens`, or listen on 127.0.0.1 only.",
            "在 `api.tokens` 中添加一项，或只监听 127.0.0.1。",
        ],
    ),
    entry(
        Code::E0129,
        ["not a permission", "不是权限"],
        [
            "A permission is a verb, or a verb and a pattern: `send`, `send:db-*`, `publish:orders.>`; `*` is everything.",
            "权限是动词，或动词加模式：`send`、`send:db-*`、`publish:orders.>`；`*` 表示全部。",
        ],
        [
            "The verbs are read, send, broadcast, receive, publish, subscribe, call and serve.",
            "动词有 read、send、broadcast、receive、publish、subscribe、call、serve。",
        ],
    ),
    entry(
        Code::E0130,
        ["that is no pattern of topics", "主题模式无效"],
        [
            "A pattern is tokens with dots between them, at most 16 and 255 bytes, without white space; a token may be `*`, the last one `>`.",
            "模式由点分隔的段组成，至多 16 段、255 字节，不含空白；段可为 `*`，最后一段可为 `>`。",
        ],
        ["Write for example `\"orders.*.created\"` or `\"orders.>\"`, in quotes.", "例如写成 `\"orders.*.created\"` 或 `\"orders.>\"`，并加引号。"],
    ),
    entry(
        Code::W0105,
        ["an environment variable is not used", "环境变量未被使用"],
        [
            "A variable starts with `FIRELINK__`, but names no key of the configuration.",
            "变量以 `FIRELINK__` 开头，但不对应任何配置键。",
        ],
        [
            "Correct its name: `FIRELINK__MESH__LINK__HEARTBEAT` stands for `mesh.link.heartbeat`.",
            "改正名称：`FIRELINK__MESH__LINK__HEARTBEAT` 对应 `mesh.link.heartbeat`。",
        ],
    ),
    entry(
        Code::W0110,
        ["secret written in clear text", "密钥以明文写出"],
        [
            "Whoever can read the file, a backup or a repository of it has the secret.",
            "能读到该文件、其备份或仓库的人就拥有该密钥。",
        ],
        ["Write `{ file: PATH }` or `{ env: NAME }` in its place.", "改写为 `{ file: 路径 }` 或 `{ env: 变量名 }`。"],
    ),
    entry(
        Code::W0111,
        ["short token", "令牌太短"],
        ["A token of less than 16 characters can be guessed.", "少于 16 个字符的令牌可以被猜出。"],
        ["Make one with `node token create`.", "用 `node token create` 生成。"],
    ),
    entry(
        Code::W0112,
        ["the node neither listens nor connects", "节点既不监听也不连接"],
        [
            "With `mesh.listen` and `mesh.connect` both empty, the node can reach nobody.",
            "`mesh.listen` 与 `mesh.connect` 都为空时，节点无法与任何人通信。",
        ],
        ["Add one of the two, or start it with `--join ADDRESS`.", "补上其中之一，或用 `--join 地址` 启动。"],
    ),
    entry(
        Code::W0113,
        ["parts of another system's file are not in effect", "其他系统配置的部分内容未生效"],
        [
            "The file was made for Majula or FFMesh and asks for features that this version does not have.",
            "文件为 Majula 或 FFMesh 所写，其中用到了此版本还没有的功能。",
        ],
        [
            "Everything else runs. Remove the parts that the warning lists, or wait for a version that has them.",
            "其余部分正常运行；删除所列内容，或等待支持它们的版本。",
        ],
    ),
];
