package check

import (
	"fmt"

	"galaxy/rtmanager/internal/testkit/chaos/check/internal/truth"
	"galaxy/rtmanager/internal/testkit/chaos/recording"
)

// localReader is a client at a node.
type localReader struct{ client, node string }

// localPosition is the newest revision that a reader has seen, with the call that showed it.
type localPosition struct {
	revision int64
	call     *recording.Call
}

// checkLocalReads checks that the local reads of a client at one node never go back, and that they
// show records of etcd.
func (c *checker) checkLocalReads() {
	c.checkStatedRevisions()
	games, positions := c.recordGames(), map[localReader]localPosition{}
	for i := range c.calls {
		call := &c.calls[i]
		if !call.Local || call.Outcome != recording.Done && call.Outcome != recording.NotFound {
			continue
		}
		c.examine(RuleLocal, 1)
		reader := localReader{call.Client, call.Node}
		position := positions[reader]
		if fault, lines := c.localFault(call, position.revision, games); fault != "" {
			if position.call != nil {
				lines = append(lines, describeCall(position.call))
			}
			c.add(RuleLocal, fault, append(lines, describeCall(call))...)
			continue
		}
		if call.Outcome == recording.Done && call.Revision > position.revision {
			positions[reader] = localPosition{call.Revision, call}
		}
	}
}

// localFault returns what is wrong with a local read of a client that has seen the revision, empty for
// nothing.
func (c *checker) localFault(call *recording.Call, seen int64, games []*truth.Game) (fault string, lines []string) {
	window := truth.Window{From: seen, To: c.timeline.PossibleAt(call.Returned)}
	g := c.history.Games[call.Game]
	v := g.Made(call.Revision)
	switch {
	case call.Method == recording.List && call.Revision < seen:
		return fmt.Sprintf("the list goes back to revision %d from %d", call.Revision, seen), nil
	case call.Method == recording.List:
		return c.listFault(call, games)
	case call.Method != recording.Get:
		return "", nil
	case call.Outcome == recording.NotFound && !g.WasAbsent(window):
		return fmt.Sprintf("the read of game %s reports that there is no record, but there was one since revision %d", call.Game, seen), describeVersions(g.Between(window))
	case call.Outcome == recording.NotFound:
		return "", nil
	case !v.Exists():
		return fmt.Sprintf("the read of game %s shows revision %d, at which etcd wrote no record of the game", call.Game, call.Revision), nil
	case v.Until <= seen:
		return fmt.Sprintf("the read of game %s goes back to revision %d, which revision %d had replaced; the client had seen %d", call.Game, call.Revision, v.Until, seen), describeVersions([]*truth.Version{v, g.Made(v.Until)})
	case v.Revision > window.To:
		return fmt.Sprintf("the read of game %s shows revision %d, which was written only after it had returned", call.Game, call.Revision), describeVersions([]*truth.Version{v})
	}
	if differences := v.Differences(call.Output); len(differences) > 0 {
		return fmt.Sprintf("the read of game %s differs from the record of etcd at revision %d in %v", call.Game, call.Revision, differences), describeVersions([]*truth.Version{v})
	}
	return "", nil
}

func describeVersions(versions []*truth.Version) (lines []string) {
	for _, v := range versions[:min(len(versions), maxLines)] {
		lines = append(lines, describeVersion(v))
	}
	return lines
}
