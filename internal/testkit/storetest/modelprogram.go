package storetest

import (
	"fmt"
	"math/rand/v2"

	"galaxy/rtmanager/internal/domain/runtime"
)

// step is one operation of a random program. Its numbers select from what there
// is when it runs, so that a program stays meaningful when steps are taken away.
type step struct {
	kind      string
	game      string
	from, to  runtime.Status
	container string
	operation string
	region    string
	node      string
	limit     int
	minute    int
	expect    expectation
	// write selects one of the writes made so far, counted from the newest
	write int
}

// expectation is what a Put expects, relative to what stands when it runs.
type expectation int

const (
	expectNothing expectation = iota
	expectAbsence
	expectPresent
	expectStale
)

func (s step) String() string {
	return fmt.Sprintf("%-12s game=%q %s→%s container=%q operation=%q region=%q node=%q limit=%d minute=%d expect=%d write=-%d",
		s.kind, s.game, s.from, s.to, s.container, s.operation, s.region, s.node, s.limit, s.minute, s.expect, s.write)
}

// newProgram returns the program of a seed; the same seed gives the same one to
// harnesses of equal abilities.
func newProgram(h Harness, seed uint64, steps int) []step {
	random := rand.New(rand.NewPCG(seed, 0))
	kinds := []string{
		"upsert", "upsert", "put", "put", "put", "update", "update", "update", "transition", "transition", "transition",
		"get", "list", "listByStatus", "page", "page", "history", "watch", "resync",
	}
	if h.Delete != nil {
		kinds = append(kinds, "delete")
	}
	if h.Compact != nil {
		kinds = append(kinds, "compact")
	}
	statuses := runtime.Statuses()
	pick := func(words ...string) string { return words[random.IntN(len(words))] }
	program := make([]step, steps)
	for i := range program {
		program[i] = step{
			kind:      pick(kinds...),
			game:      pick("a", "a/b", "%2F", "🎲", "running", "caf\u00e9", "cafe\u0301", "b"),
			from:      statuses[random.IntN(3)],
			to:        statuses[random.IntN(3)],
			container: pick("", "c1", "c2"),
			operation: pick("", "", "", "op-1", "op-2", fmt.Sprintf("op-%d", i)),
			region:    pick("", "eu", "us"),
			node:      pick("", "", "n1"),
			limit:     1 + random.IntN(5),
			minute:    i,
			expect:    expectation(random.IntN(4)),
			write:     random.IntN(20),
		}
	}
	return program
}

// record is the record that the step writes.
func (s step) record() runtime.RuntimeRecord {
	r := record(s.game, s.to)
	r.Region, r.Node, r.Generation = s.region, s.node, int64(s.minute)
	if s.to != runtime.StatusRemoved && s.container != "" {
		r.CurrentContainerID = s.container
	}
	return r
}
