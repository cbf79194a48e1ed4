package bench

import "context"

// rowSpec is one row of the report.
type rowSpec struct {
	name, what, against string
	measure             func(context.Context, *runner) (Row, error)
}

const (
	updateRateName = "update-rate"
	growthName     = "growth"
)

// allRows returns the rows in the order of the report.
func allRows() []rowSpec {
	var rows []rowSpec
	for _, c := range comparisons() {
		rows = append(rows, rowSpec{c.name, c.what, c.against, c.measure})
	}
	return append(rows, subscribersRow(), growthRow())
}

// RowNames returns the names of the rows in the order of the report.
func RowNames() []string {
	var names []string
	for _, row := range allRows() {
		names = append(names, row.name)
	}
	return names
}

// comparisons returns the rows that compare two workloads.
func comparisons() []comparison {
	return []comparison{
		{
			name: "update-latency", what: "UpdateStatus, 1 writer", against: "the bare etcd transaction",
			unit: UnitMicroseconds, figure: mean, target: updateLatencyTarget, workloads: updateWorkloadsFor(func(Options) int { return 1 }),
		},
		{
			name: updateRateName, what: "UpdateStatus, all writers, each with its own game", against: "as many bare etcd transactions in flight",
			unit: UnitPerSecond, figure: rate, target: updateRateTarget, workloads: updateWorkloadsFor(func(o Options) int { return o.Writers }),
		},
		{
			name: "get-rate", what: "linearizable Get, all readers, random games", against: "etcd's linearizable Get, not decoded",
			unit: UnitPerSecond, figure: rate, target: fixedTarget(target{limit: 6, isMinimum: true}), workloads: getWorkloads,
		},
		{
			name: "list", what: "List, linearizable", against: "etcd range in pages, decoded",
			unit: UnitMicroseconds, figure: mean, isInverse: true, target: fixedTarget(target{limit: 20, isMinimum: true}), workloads: listWorkloads,
		},
		{
			name: "list-http", what: "list of all records over HTTP, linearizable, bodies read", against: "etcd range in pages, decoded",
			unit: UnitMicroseconds, figure: mean, isInverse: true, target: fixedTarget(target{limit: 20, isMinimum: true}), workloads: listHTTPWorkloads,
		},
		{
			name: "list-by-status", baselineName: "list", what: "ListByStatus of few records", against: "List of all records",
			unit: UnitMicroseconds, figure: mean, target: proportionalTarget, workloads: listByStatusWorkloads,
		},
		{
			name: "watch-latency", what: "start of a write to its event at a subscriber, p99", against: "start of a write to its event at a bare etcd watch",
			unit: UnitMicroseconds, figure: p99, target: fixedTarget(target{limit: 1.5}), workloads: watchWorkloads,
		},
	}
}
