package check

import (
	"encoding/json"
	"fmt"
	"slices"

	"galaxy/rtmanager/internal/testkit/chaos/check/internal/truth"
	"galaxy/rtmanager/internal/testkit/chaos/recording"
)

// checkWithoutChanges checks a recording without the changes of etcd: that everything recovers, and
// that all nodes list the same records after the run. Reads, lists and watches are compared with what
// clients and watchers were shown before. All other rules are skipped.
func checkWithoutChanges(r *recording.Recording, report *Report) {
	c := &checker{run: r.Run, calls: r.Calls, all: r.Calls, events: r.Events, samples: r.Samples, history: truth.Build(r.Run.Prefix, nil), report: report}
	c.checkLiveness()
	c.checkAgreement()
	c.checkObservations()
	c.checkObservedStreams()
	report.Skipped = []string{RuleWrites, RuleOrder, RuleInvariants, RuleFences, RuleContainers}
}

// checkAgreement checks that the nodes list the same records of the clients, which do not change
// after the run.
func (c *checker) checkAgreement() {
	var first *recording.Sample
	var expected []string
	for _, node := range c.run.Nodes {
		sample := c.lastSample(recording.FinalList, node)
		var items []recording.Item
		if sample == nil {
			continue // rule liveness reports it
		}
		if err := json.Unmarshal(sample.Value, &items); err != nil || items == nil {
			c.add(RuleLiveness, fmt.Sprintf("node %s has no list of records after the run", node), describeSample(sample))
			continue
		}
		lines := []string{}
		for _, item := range items {
			if c.isRecordGame(item.Game) {
				lines = append(lines, fmt.Sprintf("%s revision=%d %s container=%q", item.Game, item.Revision, item.Status, item.ContainerID))
			}
		}
		slices.Sort(lines)
		if first == nil {
			first, expected = sample, lines
			continue
		}
		c.examine(RuleLiveness, len(lines))
		if !slices.Equal(lines, expected) {
			c.add(RuleLiveness, fmt.Sprintf("the nodes %s and %s list different records after the run", first.Subject, node), differences(first.Subject, expected, node, lines)...)
		}
	}
}

// differences returns the lines that only one of two nodes has.
func differences(first string, a []string, second string, b []string) (lines []string) {
	for _, line := range a {
		if !slices.Contains(b, line) {
			lines = append(lines, first+" only: "+line)
		}
	}
	for _, line := range b {
		if !slices.Contains(a, line) {
			lines = append(lines, second+" only: "+line)
		}
	}
	return lines
}
