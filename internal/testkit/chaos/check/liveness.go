package check

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"galaxy/rtmanager/internal/testkit/chaos/check/internal/truth"
	"galaxy/rtmanager/internal/testkit/chaos/recording"
)

// checkLiveness checks that everything recovers once the run is stable.
func (c *checker) checkLiveness() {
	for i := range c.samples {
		switch sample := &c.samples[i]; sample.Kind {
		case recording.Calls:
			c.add(RuleLiveness, "a call never returned: "+sample.Subject, string(sample.Value))
		case recording.Streams:
			c.add(RuleLiveness, "a watcher has not caught up: "+sample.Subject, describeSample(sample))
		}
	}
	c.checkCallTimes()
	c.checkClients()
	for _, node := range c.run.Nodes {
		c.checkFinalState(node)
	}
}

// checkCallTimes checks that no call took longer than the recovery, once the run was stable.
func (c *checker) checkCallTimes() {
	for i := range c.calls {
		call := &c.calls[i]
		if call.Returned < c.run.Stable {
			continue
		}
		c.examine(RuleLiveness, 1)
		if took := call.Returned - max(call.Started, c.run.Stable); took > recoveryTime {
			c.add(RuleLiveness, fmt.Sprintf("a call took %v although the run was stable since %v", time.Duration(took), time.Duration(c.run.Stable)), describeCall(call))
		}
	}
}

// clientCalls are the calls of a kind that a client made.
type clientCalls struct {
	client string
	kind   CallKind
}

// checkClients checks that each client that made calls of a kind for the time of the recovery had a success in
// it. A conflict and a rejection are one: the store has decided. Clients continue until they have one, see
// traffic.RequireRecovery. Local reads do not count: a daemon serves them without etcd.
func (c *checker) checkClients() {
	hasSuccess, last := map[clientCalls]bool{}, map[clientCalls]*recording.Call{}
	deadline := c.run.Stable + recoveryTime
	for i := range c.calls {
		call := &c.calls[i]
		if call.Returned < c.run.Stable || call.Local {
			continue
		}
		id := clientCalls{call.Client, KindOf(call)}
		isDecided := call.Outcome != recording.Unknown && call.Outcome != recording.Unavailable
		hasSuccess[id] = hasSuccess[id] || isDecided && call.Returned <= deadline
		if l := last[id]; l == nil || l.Returned < call.Returned {
			last[id] = call
		}
	}
	for id, call := range last {
		c.examine(RuleLiveness, 1)
		if !hasSuccess[id] && call.Returned > deadline {
			c.add(RuleLiveness, fmt.Sprintf("no %s of client %s succeeded within 30 s after the run was stable at %v", id.kind, id.client, time.Duration(c.run.Stable)), describeCall(call))
		}
	}
}

// checkFinalState checks what a node states after the run.
func (c *checker) checkFinalState(node string) {
	for _, kind := range []string{recording.FinalHealth, recording.FinalList, recording.FinalFsck, recording.FinalDrift} {
		sample := c.lastSample(kind, node)
		if sample == nil {
			c.add(RuleLiveness, fmt.Sprintf("node %s has no sample of the kind %s", node, kind), fmt.Sprintf("the run has %d samples", len(c.samples)))
			continue
		}
		c.examine(RuleLiveness, 1)
		switch kind {
		case recording.FinalList:
			if !c.run.NoChanges {
				c.checkFinalList(sample)
			}
		case recording.FinalHealth:
			if string(sample.Value) != "200" {
				c.add(RuleLiveness, fmt.Sprintf("node %s is not ready after the run", node), describeSample(sample))
			}
		default:
			var findings []string
			if err := json.Unmarshal(sample.Value, &findings); err != nil || len(findings) > 0 {
				c.add(RuleLiveness, fmt.Sprintf("the %s of node %s has %d findings", kind, node, len(findings)), append([]string{describeSample(sample)}, findings...)...)
			}
		}
	}
}

// lastSample returns the last sample of the kind about the subject, nil for none.
func (c *checker) lastSample(kind, subject string) *recording.Sample {
	for i := len(c.samples) - 1; i >= 0; i-- {
		if s := &c.samples[i]; s.Kind == kind && s.Subject == subject {
			return s
		}
	}
	return nil
}

func describeSample(s *recording.Sample) string {
	return fmt.Sprintf("%v %s: %s: %s", time.Duration(s.At), s.Subject, s.Kind, shorten(string(s.Value)))
}

// listDelay is how long before its sample a final list may have been read. The records of the
// clients do not change any more then, those of daemons may.
const listDelay = int64(5 * time.Second)

// checkFinalList checks that the records that a node has in memory are those of etcd.
func (c *checker) checkFinalList(sample *recording.Sample) {
	var items []recording.Item
	if err := json.Unmarshal(sample.Value, &items); err != nil || items == nil {
		c.add(RuleLiveness, fmt.Sprintf("node %s has no list of records after the run", sample.Subject), describeSample(sample))
		return
	}
	listed := map[string]recording.Item{}
	for _, item := range items {
		if _, isSecond := listed[item.Game]; isSecond {
			c.add(RuleLiveness, fmt.Sprintf("node %s lists game %s twice after the run", sample.Subject, item.Game), describeItem(sample, item))
		}
		if c.history.Games[item.Game] == nil {
			c.add(RuleLiveness, fmt.Sprintf("node %s lists game %s after the run, which etcd never had", sample.Subject, item.Game), describeItem(sample, item))
		}
		listed[item.Game] = item
	}
	for id, g := range c.history.Games {
		item, isListed := listed[id]
		from := sample.At
		if !c.isRecordGame(id) {
			from -= listDelay
		}
		versions := g.During(from, sample.At)
		isRight := func(v *truth.Version) bool {
			return !isListed && !v.Exists() || isListed && v.Exists() && (v.Record == nil || isItem(item, v))
		}
		if !slices.ContainsFunc(versions, isRight) {
			shown := "not at all"
			if isListed {
				shown = describeItem(sample, item)
			}
			c.add(RuleLiveness, fmt.Sprintf("node %s lists game %s after the run differently from etcd", sample.Subject, id), append(describeVersions(versions), strings.TrimSpace(shown))...)
		}
	}
}

func describeItem(sample *recording.Sample, item recording.Item) string {
	return fmt.Sprintf("%v %s: %s: %s revision=%d %s container=%q", time.Duration(sample.At), sample.Subject, sample.Kind, item.Game, item.Revision, item.Status, item.ContainerID)
}
