package check_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/testkit/chaos/check"
	"galaxy/rtmanager/internal/testkit/chaos/recording"
)

// unobserved returns a recording of two nodes without changes of etcd, whose final lists are the given ones.
func unobserved(lists ...[]recording.Item) *recording.Recording {
	nodes := []string{"eu/eu-1", "us/us-1"}
	r := &recording.Recording{
		Run:   recording.Run{NoChanges: true, Stable: 5, Nodes: nodes, Games: map[string]string{"a": "records"}},
		Calls: []recording.Call{{Client: "c", Method: recording.Get, Game: "a", Started: 1, Returned: 2, Outcome: recording.Done, Revision: 7}},
	}
	for i, items := range lists {
		encoded, _ := json.Marshal(items)
		for kind, value := range map[string]string{recording.FinalHealth: "200", recording.FinalFsck: "[]", recording.FinalDrift: "[]", recording.FinalList: string(encoded)} {
			r.Samples = append(r.Samples, recording.Sample{At: 9, Kind: kind, Subject: nodes[i], Value: json.RawMessage(value)})
		}
	}
	return r
}

func TestRulesThatNeedChangesAreSkippedWithoutThem(t *testing.T) {
	t.Parallel()
	list := []recording.Item{{Game: "a", Revision: 7, Status: "running"}}
	report := check.Check(unobserved(list, append(list, recording.Item{Game: "of another client"})))
	require.Empty(t, report.Violations)
	require.Equal(t, []string{check.RuleWrites, check.RuleOrder, check.RuleInvariants, check.RuleFences, check.RuleContainers}, report.Skipped)
	require.NotContains(t, report.Skipped, check.RuleLiveness)
	require.Positive(t, report.Stats.Examined[check.RuleLiveness])
}

func TestNodesMustListTheSameRecords(t *testing.T) {
	t.Parallel()
	list := []recording.Item{{Game: "a", Revision: 7, Status: "running"}}
	report := check.Check(unobserved(list, []recording.Item{{Game: "a", Revision: 6, Status: "running"}}))
	require.Len(t, report.Violations, 1)
	require.Equal(t, check.RuleLiveness, report.Violations[0].Rule)
	require.Equal(t, []string{`eu/eu-1 only: a revision=7 running container=""`, `us/us-1 only: a revision=6 running container=""`}, report.Violations[0].Evidence)

	require.NotEmpty(t, check.Check(unobserved(list, nil)).Violations, "a node without a list")
}
