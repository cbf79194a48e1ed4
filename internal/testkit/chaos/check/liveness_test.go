package check_test

import (
	"strings"
	"testing"

	"galaxy/rtmanager/internal/testkit/chaos/check"
	"galaxy/rtmanager/internal/testkit/chaos/recording"
)

func TestLiveness(t *testing.T) {
	t.Parallel()
	set := func(place int, value any) func(*builder) {
		return func(b *builder) { b.Samples[place].Value = encode(value) }
	}
	item := func(game, container string, revision int64) recording.Item {
		return recording.Item{Game: game, Revision: revision, Status: "running", ContainerID: container}
	}
	live, g2 := item("live", "x", 13), item("g2", "y", 14)
	requireViolations(t, check.RuleLiveness, lifecycleRecording, []violationCase{
		{"pending call", func(b *builder) { b.sample(recording.Calls, "c1: get", "c1: get") }, "a call never returned"},
		{"slow call", func(b *builder) {
			b.call(recording.Call{Client: "c9", Method: recording.Get, Game: "g2", Started: b.Run.Stable - second, Returned: b.Run.Stable + 31*second, Outcome: recording.NotFound})
		}, "a call took 31s"},
		{"client without a success", func(b *builder) {
			for i := range int64(40) {
				b.call(recording.Call{Client: "c9", Method: recording.Put, Game: "g2", OperationID: "op-c9", Started: b.Run.Stable + i*second, Returned: b.Run.Stable + (i+1)*second, Outcome: recording.Unavailable})
			}
		}, "no write of client c9 succeeded"},
		{"client whose local reads succeed only", func(b *builder) {
			for i := range int64(40) {
				call := recording.Call{Client: "c9", Method: recording.Get, Game: "g2", Started: b.Run.Stable + i*second, Returned: b.Run.Stable + (i+1)*second, Outcome: recording.NotFound, Local: true}
				if i%2 == 0 {
					call.Local, call.Outcome = false, recording.Unavailable
				}
				b.call(call)
			}
		}, "no read of client c9 succeeded"},
		{"client whose writes fail", func(b *builder) {
			b.call(recording.Call{Client: "c9", Method: recording.History, Game: "g2", Started: b.Run.Stable, Returned: b.Run.Stable + second, Outcome: recording.Unavailable})
			b.call(recording.Call{Client: "c9", Method: recording.Put, Game: "g2", OperationID: "op-c9", Started: b.Run.Stable + 12*second, Returned: b.Run.Stable + 32*second, Outcome: recording.Unavailable})
		}, "no write of client c9 succeeded"},
		{"stream that is late", func(b *builder) { b.sample(recording.Streams, "w1 has revision 5 of 9", "w1") }, "a watcher has not caught up: w1"},
		{"not ready", set(3, 503), "is not ready"},
		{"findings of fsck", set(5, []string{"corrupt"}), "the final fsck of node eu/a has 1 findings"},
		{"findings of drift", set(10, []string{"orphan"}), "the final drift of node eu/b has 1 findings"},
		{"no sample", func(b *builder) { b.Samples = b.Samples[:3] }, "has no sample of the kind final"},
		{"no list", set(4, nil), "has no list"},
		{"missing record", set(4, []recording.Item{live}), "lists game g2 after the run differently"},
		{"stale record", set(4, []recording.Item{live, item("g2", "y", 12)}), "lists game g2 after the run differently"},
		{"another container", set(4, []recording.Item{item("live", "z", 13), g2}), "lists game live after the run differently"},
		{"ghost", set(4, []recording.Item{live, g2, item("ghost", "z", 13)}), "which etcd never had"},
		{"a record twice", set(4, []recording.Item{live, g2, g2}), "lists game g2 twice"},
	})
	requireAccepted(t, lifecycleRecording, map[string]func(*builder){
		"a client that stopped early": func(b *builder) {
			b.call(recording.Call{Client: "c9", Method: recording.Put, Game: "g2", OperationID: "op-c9", Outcome: recording.Unavailable})
		},
	})
}

func TestVoid(t *testing.T) {
	t.Parallel()
	b := lifecycleRecording()
	b.Faults = []recording.Fault{{Kind: "member killed", Started: second, Repaired: 4 * second}, {Kind: "member killed", Error: "x"}}
	b.Calls[1].Outcome, b.Calls[1].Revision = recording.Unknown, 0
	report := check.Check(&b.Recording)
	for name, minimum := range map[string]check.Minimum{
		"calls": {Calls: 4}, "faults": {Faults: 2}, "unknown": {UnknownShare: 0.6}, "changes": {Changes: 100}, "events": {Events: 1},
		"watches": {Examined: map[string]int{check.RuleWatches: 1}},
	} {
		if err := report.Void(minimum); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("minimum of %s: %v", name, err)
		}
	}
	if err := report.Void(check.Minimum{Calls: 3, Faults: 1, UnknownShare: 0.5, Changes: 8, Examined: map[string]int{check.RuleContainers: 5}}); err != nil {
		t.Error(err)
	}
	for _, part := range []string{"3 calls (50.0 %", "put            1 unknown", "rule containers", "after member killed: read in"} {
		if !strings.Contains(report.String(), part) {
			t.Errorf("%q is missing in the report:\n%s", part, report)
		}
	}
	if got := report.Stats.Recoveries[0]; got.Node != "" || got.Calls != check.ReadCalls || got.After <= 0 {
		t.Errorf("the first recovery is %+v", got)
	}
}

// A cluster that was not repaired need not recover: the run proves nothing about that.
func TestUnrepairedFault(t *testing.T) {
	t.Parallel()
	b := lifecycleRecording()
	b.Samples[3].Value = encode(503) // a node is not ready
	if report := check.Check(&b.Recording); len(report.Violations) == 0 {
		t.Fatal("no violation although a node is not ready")
	}
	b.Faults = []recording.Fault{{Kind: "quota reached", Target: "cluster", Error: "no leader", Unrepaired: true}}
	report := check.Check(&b.Recording)
	if len(report.Violations) > 0 {
		t.Errorf("violations: %v", report.Violations)
	}
	if err := report.Void(check.Minimum{}); err == nil || !strings.Contains(err.Error(), "no leader") {
		t.Errorf("the run is not void: %v", err)
	}
}
