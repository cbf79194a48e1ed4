package check

import (
	"fmt"
	"sort"

	"galaxy/rtmanager/internal/testkit/chaos/recording"
)

// statedRevisions are the revisions that the local reads of one store have stated, in the order of their returns.
type statedRevisions []statedRevision

type statedRevision struct {
	returned int64
	highest  int64 // up to this one
	call     *recording.Call
}

// before returns the highest revision of the reads that had returned at the time.
func (s statedRevisions) before(at int64) (statedRevision, bool) {
	end := sort.Search(len(s), func(i int) bool { return s[i].returned >= at })
	if end == 0 {
		return statedRevision{}, false
	}
	return s[end-1], true
}

// checkStatedRevisions checks that local reads show exactly what etcd had at the revision that they state, and
// that the revisions of one daemon never decrease. So at the moment of each read the memory of the daemon was
// that of etcd. A store in the process of its clients is known by the client only.
func (c *checker) checkStatedRevisions() {
	stores := map[string]statedRevisions{}
	for i := range c.calls {
		call := &c.calls[i]
		revision := call.AsOf
		if call.Method == recording.List && call.Outcome == recording.Done {
			revision = call.Revision
		}
		if !call.Local || revision == 0 {
			continue
		}
		c.examine(RuleLocal, 1)
		name := call.Node
		if name == "" {
			name = call.Client
		}
		stated := stores[name]
		earlier, hasEarlier := stated.before(call.Started)
		if hasEarlier && earlier.highest > revision {
			c.add(RuleLocal, fmt.Sprintf("a local read at %s is as of revision %d, and an earlier one was as of %d", name, revision, earlier.highest), describeCall(earlier.call), describeCall(call))
		}
		if fault := c.statedFault(call, revision); fault != "" {
			c.add(RuleLocal, fault, describeVersion(c.history.Games[call.Game].At(revision)), describeCall(call))
		}
		next := statedRevision{call.Returned, revision, call}
		if len(stated) > 0 && stated[len(stated)-1].highest > revision {
			next.highest, next.call = stated[len(stated)-1].highest, stated[len(stated)-1].call
		}
		stores[name] = append(stated, next)
	}
}

// statedFault returns what is wrong with a local Get as of the revision, empty for nothing. Lists have a rule
// of their kind.
func (c *checker) statedFault(call *recording.Call, revision int64) string {
	if call.Method != recording.Get {
		return ""
	}
	v := c.history.Games[call.Game].At(revision)
	switch {
	case revision > c.timeline.PossibleAt(call.Returned):
		return fmt.Sprintf("the local read of game %s is as of revision %d, which was written only after it had returned", call.Game, revision)
	case call.Outcome == recording.Done && (!v.Exists() || v.Revision != call.Revision):
		return fmt.Sprintf("the local read of game %s shows revision %d as of revision %d, at which etcd had another one", call.Game, call.Revision, revision)
	case call.Outcome == recording.NotFound && v.Exists():
		return fmt.Sprintf("the local read of game %s reports that there is no record as of revision %d, at which etcd had one", call.Game, revision)
	default:
		return ""
	}
}
