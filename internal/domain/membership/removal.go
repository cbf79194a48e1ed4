package membership

import (
	"fmt"
	"strings"
)

// RemovalRequest requests the removal of a member.
type RemovalRequest struct {
	// Name is the name of the member, or its hexadecimal id.
	Name string
	// IsReplacement means that another member takes its place, so it must not respond.
	IsReplacement bool
	// IsForced carries out what is refused only because it is probably a mistake. What etcd
	// cannot survive remains refused.
	IsForced bool
	// IsDryRun changes nothing.
	IsDryRun bool
}

// Removal is the effect of a removal.
type Removal struct {
	Member Member
	// Before and After are what the cluster tolerates.
	Before, After Quorum
	// Warnings are what the operator should know, as sentences without a full stop.
	Warnings []string
	// Remaining are the other members.
	Remaining []Member
}

// PlanRemoval returns the effect of a removal. It returns a *NotFoundError for an unknown
// member, an *UnsafeError if the removal would lose quorum or is probably a mistake, and
// ErrNoQuorum if etcd cannot change its members now.
func PlanRemoval(c Cluster, request RemovalRequest) (Removal, error) {
	member, err := c.Find(request.Name)
	if err != nil {
		return Removal{}, err
	}
	plan := Removal{Member: member, Before: c.Quorum()}
	var rest Cluster
	for _, m := range c.Members {
		if m.ID != member.ID {
			rest.Members = append(rest.Members, m)
		}
	}
	plan.After, plan.Remaining = rest.Quorum(), rest.Members
	if err := plan.check(request, unresponsiveVoters(rest)); err != nil {
		return Removal{}, err
	}
	switch {
	case c.IsLocal && !plan.Before.IsLost():
		return Removal{}, fmt.Errorf("member %s is not removed: %w that confirms the list of its members; repeat the request in a moment", member.Label(), ErrNoQuorum)
	case plan.Before.IsLost():
		return Removal{}, fmt.Errorf("member %s is not removed: %w (%s): start the daemons of %s, or restore a backup",
			member.Label(), ErrNoQuorum, plan.Before, strings.Join(unresponsiveVoters(c), ", "))
	}
	plan.Warnings = plan.warnings(request.IsReplacement)
	return plan, nil
}

// check returns an error if the removal is refused. unresponsive are the other voters that do not
// respond.
func (r Removal) check(request RemovalRequest, unresponsive []string) error {
	unsafe := func(canForce bool, format string, args ...any) error {
		return &UnsafeError{Member: r.Member.Label(), Reason: fmt.Sprintf(format, args...), CanForce: canForce}
	}
	isVoter := !r.Member.IsLearner
	switch {
	case isVoter && r.Before.Voters == 1:
		return unsafe(false, "it is the last member with a vote, and has the only copy of the records")
	case r.Before.IsLost():
		return nil // reported by the caller
	case isVoter && r.After.IsLost():
		return unsafe(false, "the cluster would lose its quorum, since of the others %s does not respond; start or replace that one first", strings.Join(unresponsive, ", "))
	case request.IsForced:
		return nil
	case request.IsReplacement && r.Member.Responds():
		return unsafe(true, "it responds, and a replacement is for a member that is lost; stop its daemon first")
	case isVoter && r.Member.Responds() && len(unresponsive) > 0:
		return unsafe(true, "it responds, but %s does not; remove or replace that one first", strings.Join(unresponsive, ", "))
	}
	return nil
}

// NextLeader returns the remaining voter that is least behind the leader, false if none responds.
func (r Removal) NextLeader() (next Member, isFound bool) {
	for _, m := range r.Remaining {
		if !m.IsLearner && m.Failure == "" && (!isFound || m.RaftLag < next.RaftLag) {
			next, isFound = m, true
		}
	}
	return next, isFound
}

// unresponsiveVoters returns the names of voters that do not respond.
func unresponsiveVoters(c Cluster) []string {
	var unresponsive []string
	for _, m := range c.Members {
		if !m.IsLearner && !m.Responds() {
			unresponsive = append(unresponsive, m.Label())
		}
	}
	return unresponsive
}

// warnings returns the effects of a removal. A replacement adds a member soon.
func (r Removal) warnings(isReplacement bool) []string {
	var warnings []string
	add := func(isTrue bool, text string) {
		if isTrue {
			warnings = append(warnings, text)
		}
	}
	add(r.Member.IsOwn && r.Member.Responds(), "the daemon that carries this out embeds the member, and stops")
	add(!r.Member.IsOwn && r.Member.Responds() && r.Member.Name != "", "the daemon of the member stops")
	add(r.Member.IsLeader, "the member is the leader: another one becomes the leader first")
	add(r.After.Tolerated() < r.Before.Tolerated() && r.After.Tolerated() == 0 && r.After.Voters > 1, "after this, the loss of one more member stops all writes")
	add(r.After.Voters == 1 && r.Before.Voters > 1, "after this, one member has the only copy of the records")
	add(r.After.Advice() != "" && !r.Member.IsLearner && !isReplacement, r.After.Advice())
	return warnings
}
