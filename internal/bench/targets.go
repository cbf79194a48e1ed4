package bench

import "fmt"

// target is the target of a row.
type target struct {
	limit     float64
	isMinimum bool // limit is a minimum rather than a maximum
	// maxCPU and maxEtcdCPU are the largest ratios of CPU time per operation, of this
	// process and of all members; 0 means that the target does not have the condition. A
	// condition on a CPU time that is not known is not met.
	maxCPU, maxEtcdCPU float64
	condition          string // further condition, as text, which the row checks itself
}

// isReached reports whether the row meets its target, except for the further condition.
func (t target) isReached(row Row) bool {
	isReached := row.Ratio <= t.limit
	if t.isMinimum {
		isReached = row.Ratio >= t.limit
	}
	return isReached && isBelow(row.CPU, t.maxCPU) && isBelow(row.EtcdCPU, t.maxEtcdCPU)
}

func isBelow(c *CPU, limit float64) bool { return limit == 0 || c != nil && c.Ratio <= limit }

// String implements fmt.Stringer.
func (t target) String() string {
	sign := "≤"
	if t.isMinimum {
		sign = "≥"
	}
	text := fmt.Sprintf("%s %.4g×", sign, t.limit)
	if t.maxCPU > 0 {
		text += fmt.Sprintf(", CPU ≤ %.4g×", t.maxCPU)
	}
	if t.maxEtcdCPU > 0 {
		text += fmt.Sprintf(", etcd CPU ≤ %.4g×", t.maxEtcdCPU)
	}
	if t.condition != "" {
		text += ", " + t.condition
	}
	return text
}

// targetFunc returns the target of a row on a cluster.
type targetFunc func(Cluster, Options) target

func fixedTarget(t target) targetFunc { return func(Cluster, Options) target { return t } }

// updateLatencyTarget is that of a single writer. The CPU time of an embedded etcd is
// part of that of this process.
func updateLatencyTarget(c Cluster, _ Options) target {
	t := target{limit: 1.1}
	if !c.Embedded {
		t.maxCPU = 1.2
	}
	return t
}

// updateRateTarget is that of many writers. A batch saves requests over the network, and
// entries of the log of every member, so it saves more in a larger cluster.
func updateRateTarget(c Cluster, _ Options) target {
	t := target{limit: 2.5, isMinimum: true}
	switch {
	case c.Embedded:
		t.limit = 1.5
		return t
	case c.memberCount() == 1:
		t.limit = 2
	}
	t.maxCPU = 0.5
	if c.Members != nil {
		t.maxEtcdCPU = 0.5
	}
	return t
}

// peerTarget is that of a row that is compared with another store.
func peerTarget(c comparison) target {
	switch {
	case c.name == updateRateName:
		return target{limit: 2, isMinimum: true}
	case c.unit == UnitPerSecond || c.isInverse:
		return target{limit: 1, isMinimum: true}
	}
	return target{limit: 1}
}

// proportionalTarget returns the target of a read whose cost is proportional to its
// result: ten times the share of the returned records in all records, which allows
// for the constant cost of a call.
func proportionalTarget(_ Cluster, o Options) target {
	return target{limit: 10 * float64(o.selectedRecords()) / float64(o.Records)}
}
