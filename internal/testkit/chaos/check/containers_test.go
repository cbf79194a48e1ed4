package check_test

import (
	"testing"

	"galaxy/rtmanager/internal/testkit/chaos/check"
	"galaxy/rtmanager/internal/testkit/chaos/recording"
)

// sample adds a sample of now.
func (b *builder) sample(kind, subject string, value any) {
	b.Samples = append(b.Samples, recording.Sample{At: b.tick(), Kind: kind, Subject: subject, Value: encode(value)})
}

func container(id, game string) []recording.Container {
	return []recording.Container{{ID: id, Game: game, PID: 7}}
}

// lifecycleRecording has a started game on eu/a, whose final state is recorded.
//
//	samples 0 to 2   eu/a, eu/b, eu/a during the run
//	samples 3 to 10  the final state of both nodes
//	samples 11, 12   containers of eu/a and eu/b after the run
func lifecycleRecording() *builder {
	b := newBuilder()
	b.Run.Nodes = []string{"eu/a", "eu/b"}
	b.tick()
	for _, node := range []string{"eu/a", "eu/b"} {
		b.revision++
		b.change("/nodes/"+node, "{}", false)
	}
	b.now += 60 * second // the nodes were absent before
	started := b.tick()
	b.apply("live", "start/1", "upsert", with(record("live", "running", "x"), "region", "eu", "node", "a"))
	b.call(recording.Call{Client: "operator", Node: "eu/a", Method: recording.Start, Game: "live", OperationID: "start", Started: started, Outcome: recording.Done})
	b.put("g2", "op-1", "running", "y")
	b.sample(recording.Containers, "eu/a", container("x", "live"))
	b.sample(recording.Containers, "eu/b", []recording.Container{})
	b.sample(recording.Containers, "eu/a", container("x", "live"))
	b.Run.Stable = b.tick()
	b.get("c1", "g2")
	items := []recording.Item{{Game: "live", Revision: b.revisionOf("live"), Status: "running", ContainerID: "x"}, {Game: "g2", Revision: b.revisionOf("g2"), Status: "running", ContainerID: "y"}}
	for _, node := range b.Run.Nodes {
		b.sample(recording.FinalHealth, node, 200)
		b.sample(recording.FinalList, node, items)
		b.sample(recording.FinalFsck, node, []string{})
		b.sample(recording.FinalDrift, node, []string{})
	}
	b.sample(recording.Containers, "eu/a", container("x", "live"))
	b.sample(recording.Containers, "eu/b", []recording.Container{})
	return b
}

func TestContainers(t *testing.T) {
	t.Parallel()
	set := func(place int, containers ...recording.Container) func(*builder) {
		return func(b *builder) { b.Samples[place].Value = encode(append([]recording.Container{}, containers...)) }
	}
	x := container("x", "live")[0]
	// onBoth runs the game on both nodes from sample 0 to sample 12.
	onBoth := func(b *builder) {
		set(1, recording.Container{ID: "z", Game: "live", PID: 8})(b)
		set(12, recording.Container{ID: "z", Game: "live", PID: 8})(b)
	}
	absent := func(b *builder) {
		at := b.Samples[1].At
		b.Changes = append(b.Changes, recording.Change{Revision: b.revision + 1, At: at, Key: "/p/nodes/eu/b", Deleted: true},
			recording.Change{Revision: b.revision + 2, At: at + 1, Key: "/p/nodes/eu/b", Created: b.revision + 2})
	}
	requireViolations(t, check.RuleContainers, lifecycleRecording, []violationCase{
		{"two containers on one node", set(0, x, recording.Container{ID: "z", Game: "live", PID: 8}), "has two containers on node eu/a"},
		{"two containers on two nodes", onBoth, "on the nodes eu/a and eu/b"},
		{"container has ended", set(11), "its container does not run"},
		{"another container runs", set(11, recording.Container{ID: "z", Game: "live", PID: 8}), "its container does not run"},
		{"orphan", set(12, recording.Container{ID: "z", Game: "unrecorded", PID: 8}), "has no running record"},
		{"orphan without a game", set(12, recording.Container{ID: "z", PID: 8}), "has no running record"},
		{"container of a stopped game", func(b *builder) {
			b.Samples[11].At, b.Samples[12].At = b.now+20*second, b.now+20*second
			b.apply("live", "stop/1", "transition", transitioned(b.records["live"], "stopped"))
		}, "has no running record"},
		{"lost game", func(b *builder) {
			b.apply("live", "stop/1", "transition", transitioned(b.records["live"], "stopped"))
		}, "game live is lost"},
		{"unreadable sample", func(b *builder) { b.Samples[0].Value = encode("x") }, "is not a list"},
	})
	requireAccepted(t, lifecycleRecording, map[string]func(*builder){
		"on two nodes when one was absent": func(b *builder) {
			set(1, recording.Container{ID: "z", Game: "live", PID: 8})(b)
			b.Samples = append(b.Samples[:3], append([]recording.Sample{{At: b.Samples[2].At + 1, Kind: recording.Containers, Subject: "eu/b", Value: b.Samples[1].Value}}, b.Samples[3:]...)...)
			absent(b)
		},
		"moved between two samples": set(1, recording.Container{ID: "z", Game: "live", PID: 8}),
		"stopped by the operator": func(b *builder) {
			b.call(recording.Call{Client: "operator", Node: "eu/a", Method: recording.Stop, Game: "live", OperationID: "stop", Outcome: recording.Done})
			b.apply("live", "stop/1", "transition", transitioned(b.records["live"], "stopped"))
			b.sample(recording.Containers, "eu/a", []recording.Container{})
			b.sample(recording.FinalList, "eu/a", []recording.Item{{Game: "live", Revision: b.revision, Status: "stopped", ContainerID: "x"}, {Game: "g2", Revision: b.revisionOf("g2"), Status: "running", ContainerID: "y"}})
		},
	})
}

func TestOperations(t *testing.T) {
	t.Parallel()
	requireViolations(t, check.RuleWrites, lifecycleRecording, []violationCase{
		{"rejected operation that wrote", func(b *builder) { b.Calls[0].Outcome = recording.Rejected }, "report that it was not executed"},
		{"unavailable operation that wrote", func(b *builder) { b.Calls[0].Outcome = recording.Unavailable }, "report that it was not executed"},
		{"stop without an effect", func(b *builder) { b.Calls[0].Method = recording.Stop }, "never had the requested state"},
		{"clean-up without an effect", func(b *builder) {
			unapplied(b, recording.Call{Method: recording.Cleanup, Game: "live", OperationID: "c", Outcome: recording.Done})
		}, "never had the requested state"},
		{"move to another node", func(b *builder) {
			unapplied(b, recording.Call{Method: recording.Move, Game: "live", OperationID: "m", To: "eu/b", Outcome: recording.Done})
		}, "never had the requested state"},
	})
	// ends ends the game by an operation on node eu/a.
	ends := func(b *builder, method recording.Method, status, container string) {
		b.apply("live", "op", "transition", transitioned(b.records["live"], status))
		b.call(recording.Call{Client: "operator", Node: "eu/a", Method: method, Game: "live", OperationID: "op", To: "eu/a", Outcome: recording.Done})
		b.call(recording.Call{Client: "operator", Node: "eu/a", Method: recording.Stop, Game: "live", OperationID: "later", Outcome: recording.Unknown})
		b.sample(recording.Containers, "eu/a", []recording.Container{})
		b.sample(recording.FinalList, "eu/a", []recording.Item{{Game: "live", Revision: b.revision, Status: status, ContainerID: container}, {Game: "g2", Revision: b.revisionOf("g2"), Status: "running", ContainerID: "y"}})
	}
	requireAccepted(t, lifecycleRecording, map[string]func(*builder){
		"stop of a game whose container is missing": func(b *builder) { ends(b, recording.Stop, "removed", "") },
		"move of a game that has stopped":           func(b *builder) { ends(b, recording.Move, "stopped", "x") },
		"patch of a game that has stopped":          func(b *builder) { ends(b, recording.Patch, "stopped", "x") },
	})
}
