package bench

import (
	"context"
	"slices"
)

// row is one line of the design's table.
type row struct {
	name, what, against string
	measure             func(context.Context, *rig) (Row, error)
}

const growthName = "growth"

// rowsOfTable are all rows, in the order of the design's table.
func rowsOfTable() []row {
	var rows []row
	for _, c := range contests() {
		rows = append(rows, row{c.name, c.what, c.against, c.measure})
	}
	return append(rows, subscribers(), growth())
}

// RowNames returns the short names of the rows, in the table's order.
func RowNames() []string {
	var names []string
	for _, row := range rowsOfTable() {
		names = append(names, row.name)
	}
	return names
}

// contests are the rows that hold two ways of doing the same against each other.
func contests() []contest {
	return []contest{
		{
			name: "update-latency", what: "UpdateStatus, 1 writer", against: "the bare etcd transaction",
			unit: UnitMicroseconds, of: mean, goal: fixed(goal{limit: 1.1}), sides: updates(func(Options) int { return 1 }),
		},
		{
			name: "update-rate", what: "UpdateStatus, all writers, each its own game", against: "as many bare etcd transactions in flight",
			unit: UnitPerSecond, of: rate, goal: fixed(goal{limit: 2.5, atLeast: true}), sides: updates(func(o Options) int { return o.Writers }),
		},
		{
			name: "get-rate", what: "linearizable Get, all readers, random games", against: "etcd's linearizable Get, undecoded",
			unit: UnitPerSecond, of: rate, goal: fixed(goal{limit: 5, atLeast: true}), sides: gets,
		},
		{
			name: "list", what: "List, linearizable", against: "etcd range in pages, decoded",
			unit: UnitMicroseconds, of: mean, inverse: true, goal: fixed(goal{limit: 20, atLeast: true}), sides: lists,
		},
		{
			name: "list-by-status", what: "ListByStatus of the few", against: "List of all",
			unit: UnitMicroseconds, of: mean, goal: answerSized, sides: listsByStatus,
		},
		{
			name: "watch-latency", what: "start of a write to its event at a subscriber, p99", against: "to its event at a bare etcd watch",
			unit: UnitMicroseconds, of: p99, goal: fixed(goal{limit: 1.5}), sides: watches,
		},
	}
}

func fixed(g goal) func(Options) goal { return func(Options) goal { return g } }

// answerSized is the goal of a read whose cost follows its answer: a tenth of
// what the records it gives back are of all would cost is plenty of room for
// what every call costs.
func answerSized(o Options) goal {
	return goal{limit: 10 * float64(o.rare()) / float64(o.Records)}
}

// contestOf returns the contest of a name.
func contestOf(name string) contest {
	all := contests()
	return all[slices.IndexFunc(all, func(c contest) bool { return c.name == name })]
}
