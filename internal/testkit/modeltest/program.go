package modeltest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"

	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/labelselector"
	"galaxy/rtmanager/internal/testkit/storetest"
)

// step is one operation of a random program. It selects writes by their distance from
// the newest, so that a program stays valid when shrink removes steps.
type step struct {
	kind         string
	game         string
	from, to     runtime.Status
	container    string
	operation    string
	region       string
	node         string
	limit        int
	minute       int
	precondition putPrecondition
	// write selects one of the previous writes, counted from the newest.
	write int
}

// putPrecondition is the precondition of a Put, relative to the record at the time.
type putPrecondition int

const (
	putUnconditional putPrecondition = iota
	putIfAbsent
	putIfUnchanged
	putIfStale
)

// String implements fmt.Stringer.
func (s step) String() string {
	return fmt.Sprintf("%-12s game=%q %s→%s container=%q operation=%q region=%q node=%q limit=%d minute=%d expect=%d write=-%d",
		s.kind, s.game, s.from, s.to, s.container, s.operation, s.region, s.node, s.limit, s.minute, s.precondition, s.write)
}

// newProgram returns the program of the seed. Harnesses with the same capabilities get
// the same program.
func newProgram(h storetest.Harness, seed uint64, steps int) []step {
	random := rand.New(rand.NewPCG(seed, 0))
	kinds := []string{
		"upsert", "upsert", "put", "put", "put", "update", "update", "update", "transition", "transition", "transition",
		"remove", "remove", "get", "list", "listByStatus", "page", "page", "history", "watch", "resync",
	}
	if h.Delete != nil {
		kinds = append(kinds, "delete")
	}
	if h.Compact != nil {
		kinds = append(kinds, "compact")
	}
	statuses := runtime.Statuses()
	pick := func(values ...string) string { return values[random.IntN(len(values))] }
	program := make([]step, steps)
	for i := range program {
		program[i] = step{
			kind:         pick(kinds...),
			game:         pick("a", "a/b", "%2F", "🎲", "running", "caf\u00e9", "cafe\u0301", "b"),
			from:         statuses[random.IntN(3)],
			to:           statuses[random.IntN(3)],
			container:    pick("", "c1", "c2"),
			operation:    pick("", "", "", "op-1", "op-2", fmt.Sprintf("op-%d", i)),
			region:       pick("", "eu", "us"),
			node:         pick("", "", "n1"),
			limit:        1 + random.IntN(5),
			minute:       i,
			precondition: putPrecondition(random.IntN(4)),
			write:        random.IntN(20),
		}
	}
	return program
}

// newRecord returns the record that the step writes.
func (s step) newRecord() runtime.RuntimeRecord {
	r := storetest.NewRecord(s.game, s.to)
	r.Region, r.Node, r.Generation = s.region, s.node, int64(s.minute)
	if s.minute%2 == 0 {
		r.Labels = map[string]string{"region": s.region, "odd": strconv.FormatBool(s.minute%4 == 0)}
	}
	if s.to != runtime.StatusRemoved && s.container != "" {
		r.CurrentContainerID = s.container
	}
	return r
}

// selector returns a selector of some records.
func (s step) selector() runtime.LabelSelector { return s.selectors()[0] }

// selectorOf returns a selector of some records that matches the labels.
func (s step) selectorOf(labels map[string]string) runtime.LabelSelector {
	selectors := s.selectors()
	return selectors[slices.IndexFunc(selectors, func(selector runtime.LabelSelector) bool { return selector.Matches(labels) })]
}

// selectors returns selectors of some records. At least one of them matches the labels of any new record.
func (s step) selectors() []runtime.LabelSelector {
	texts := []string{"region=" + s.region, "odd", "odd in (true),region!=" + s.region, "!odd", "region in (eu,us)"}
	first := s.minute % len(texts)
	var selectors []runtime.LabelSelector
	for _, text := range slices.Concat(texts[first:], texts[:first]) {
		selector, err := labelselector.Parse("label_selector", text)
		if err != nil {
			panic(err)
		}
		selectors = append(selectors, selector)
	}
	return selectors
}
