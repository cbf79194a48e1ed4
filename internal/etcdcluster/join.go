package etcdcluster

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/loopback"
	"galaxy/rtmanager/internal/wait"
)

// retryInterval is the time between two tries of a change that the cluster rejects for now.
const retryInterval = time.Second

// Candidate is a member that is to join a cluster.
type Candidate struct {
	Name, PeerURL string
	// Report receives why the join waits; it can be called often with the same reason.
	Report func(reason error)
	// IsRunning reports whether a learner runs. Without it, none does. A learner that runs is not
	// the entry of an interrupted join, unless it has the address of the candidate.
	IsRunning func(ctx context.Context, learner Member) bool
	// Timeout bounds the first try to add the entry. It doubles after each try without a response,
	// up to 30 s. Default 3 s.
	Timeout time.Duration
}

// The bounds of a try of AddLearner. While another change is in progress the leader drops the one
// of this try, so the next one should follow soon; but a cluster of far members takes its time.
const (
	addTimeout    = 3 * time.Second
	maxAddTimeout = 30 * time.Second
)

// AddLearner adds an entry for the candidate to the cluster, as a learner. It first removes
// the entry that an interrupted join of the same candidate has left: an entry without a vote, or
// of a member that has never started. The log of a learner must not be used with an entry that
// it was not created for, so an interrupted join always gets a new entry.
//
// While the cluster rejects the change for now, because another learner is not in sync or a
// member is not connected, AddLearner waits until ctx ends. It returns a *TakenError or a
// *LoopbackError if the candidate cannot join.
func AddLearner(ctx context.Context, client *clientv3.Client, candidate Candidate) (id uint64, members Members, err error) {
	timeout := cmp.Or(candidate.Timeout, addTimeout)
	for {
		var hasResponse bool
		id, members, hasResponse, err = candidate.tryAdd(ctx, client, timeout)
		if !hasResponse {
			timeout = min(2*timeout, maxAddTimeout)
		}
		if err == nil || !IsTemporary(err) {
			return id, members, err
		}
		if ctx.Err() != nil {
			return 0, Members{}, fmt.Errorf("%w: %w", context.Cause(ctx), err)
		}
		candidate.report(err)
		if wait.For(ctx, retryInterval) != nil {
			return 0, Members{}, fmt.Errorf("%w: %w", context.Cause(ctx), err)
		}
	}
}

// tryAdd is one try of AddLearner. It reports whether the cluster has responded in time.
func (c Candidate) tryAdd(ctx context.Context, client *clientv3.Client, timeout time.Duration) (id uint64, members Members, hasResponse bool, err error) {
	tryCtx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	id, members, err = tryAddLearner(tryCtx, client, c)
	if err != nil && tryCtx.Err() != nil && ctx.Err() == nil {
		return 0, Members{}, false, fmt.Errorf("the cluster did not respond within %s: %w", timeout, err)
	}
	return id, members, true, err
}

func tryAddLearner(ctx context.Context, client *clientv3.Client, candidate Candidate) (uint64, Members, error) {
	members, err := List(ctx, client)
	if err != nil {
		return 0, Members{}, err
	}
	if err := candidate.check(ctx, members); err != nil {
		return 0, Members{}, err
	}
	for _, m := range members.List {
		if !candidate.matches(m) {
			continue
		}
		if _, err := client.MemberRemove(ctx, m.ID); err != nil && !errors.Is(err, rpctypes.ErrMemberNotFound) {
			return 0, Members{}, fmt.Errorf("remove the entry %s of an interrupted join: %w", m.Label(), err)
		}
	}
	// etcd would reject a second learner only after it has written it to its log. A member that
	// reads such an entry at a later start then dials the address of the candidate for good.
	if labels := learnerLabels(members, candidate); labels != "" {
		return 0, Members{}, fmt.Errorf("%w: the join of member %s is not complete", rpctypes.ErrTooManyLearners, labels)
	}
	added, err := client.MemberAddAsLearner(ctx, []string{candidate.PeerURL})
	if errors.Is(err, rpctypes.ErrMemberNotFound) {
		return 0, Members{}, errIDRemoved
	}
	if errors.Is(err, rpctypes.ErrUnhealthy) {
		return 0, Members{}, fmt.Errorf("%w: a majority of its members must have been connected for a few seconds", err)
	}
	if err != nil {
		return 0, Members{}, err
	}
	return added.Member.GetID(), Members{ClusterID: added.Header.GetClusterId(), List: membersFrom(added.Members)}, nil
}

// check returns a *TakenError or a *LoopbackError if the candidate cannot join.
func (c Candidate) check(ctx context.Context, members Members) error {
	isLocal := isLoopback(c.PeerURL)
	for _, m := range members.List {
		if c.matches(m) {
			if m.IsStarted() && (!m.IsLearner || c.isOther(ctx, m)) {
				return &TakenError{Candidate: c, Member: m}
			}
			continue
		}
		if !isLocal && m.IsStarted() && slices.ContainsFunc(m.PeerURLs, isLoopback) {
			return &LoopbackError{Member: m}
		}
	}
	return nil
}

// isOther reports whether the learner runs at another address than that of the candidate.
func (c Candidate) isOther(ctx context.Context, learner Member) bool {
	return c.IsRunning != nil && !slices.Contains(learner.PeerURLs, c.PeerURL) && c.IsRunning(ctx, learner)
}

// matches reports whether the entry has the name or the peer URL of the candidate.
func (c Candidate) matches(m Member) bool {
	return m.Name == c.Name || slices.Contains(m.PeerURLs, c.PeerURL)
}

func (c Candidate) report(reason error) {
	if c.Report != nil {
		c.Report(reason)
	}
}

func isLoopback(peerURL string) bool {
	u, err := url.Parse(peerURL)
	return err == nil && loopback.IsHost(u.Hostname())
}

// learnerLabels returns the labels of the learners other than the candidate: a cluster has one learner
// at a time.
func learnerLabels(members Members, candidate Candidate) string {
	var labels []string
	for _, m := range members.List {
		if m.IsLearner && !candidate.matches(m) {
			labels = append(labels, m.Label())
		}
	}
	return strings.Join(labels, " and ")
}

// promoteInterval is the time between two tries to promote a learner.
const promoteInterval = 200 * time.Millisecond

// changeTimeout bounds one try of a change of the members. While another change is in progress the
// leader drops a change, and etcd never responds to it.
const changeTimeout = 10 * time.Second

// Promote gives the learner a vote once it is in sync with the leader. It waits for that until
// ctx ends, and reports why it waits. It returns rpctypes.ErrMemberNotFound if the
// member has been removed, and nil if it has a vote already.
func Promote(ctx context.Context, client *clientv3.Client, id uint64, report func(reason error)) error {
	for {
		tryCtx, cancel := context.WithTimeout(ctx, changeTimeout)
		_, err := client.MemberPromote(tryCtx, id)
		cancel()
		switch {
		case err == nil, errors.Is(err, rpctypes.ErrMemberNotLearner):
			return nil
		case errors.Is(err, rpctypes.ErrMemberNotFound):
			return err
		case ctx.Err() != nil:
			return fmt.Errorf("%w: %w", context.Cause(ctx), err)
		}
		report(err)
		if wait.For(ctx, promoteInterval) != nil {
			return fmt.Errorf("%w: %w", context.Cause(ctx), err)
		}
	}
}
