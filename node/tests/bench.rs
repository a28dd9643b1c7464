//! `node bench`: that it measures and says so. What it measures is not for a test.

mod common;

use common::World;

#[test]
fn messages_are_measured_between_neighbours_and_over_a_relay() {
    let world = World::new();
    for (topology, relayed) in [("pair", false), ("relay", true)] {
        let few = ["--count", "5000", "--warmup", "100", "--rate", "2000", "--paced", "200ms"];
        let ran = world.run(&[&["bench", "msg", "--topology", topology, "--json"], &few[..]].concat());
        assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
        let told = ran.json("firelink.bench-msg/v1");
        assert_eq!((&told["clean"], &told["topology"], &told["size"]), (&true.into(), &topology.into(), &128.into()));
        let (burst, paced) = (&told["burst"], &told["paced"]);
        assert_eq!((&burst["count"], &burst["lost"], &burst["rate"]), (&5000.into(), &0.into(), &().into()));
        assert_eq!((&paced["count"], &paced["latency"]["samples"]), (&400.into(), &400.into()), "{told}");
        assert_eq!(burst["middle_cpu_us"].is_number(), relayed);
        for figure in [&burst["msgs_per_s"], &burst["publisher_cpu_us"], &paced["latency"]["p99_us"]] {
            assert!(figure.as_f64().is_some_and(|figure| figure > 0.0), "{told}");
        }
    }
}

#[test]
fn a_payload_has_room_for_what_is_checked() {
    let ran = World::new().run(&["bench", "msg", "--size", "15"]);
    assert_eq!(ran.code, 2, "{}", ran.err);
}
