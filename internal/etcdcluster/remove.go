package etcdcluster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"

	"galaxy/rtmanager/internal/domain/membership"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/wait"
)

const (
	// probePause is the time between two probes of a member that does not respond.
	probePause = 500 * time.Millisecond
	// unhealthyTime is how long a removal is repeated that etcd rejects as unsafe for now.
	unhealthyTime = 10 * time.Second
	// moveLeaderTime bounds the change of the leader before a removal.
	moveLeaderTime = 10 * time.Second
)

// Remove removes a member from the cluster, unless the request is a dry run, and returns the
// effect. It returns the errors of membership.PlanRemoval, and then nothing has changed. A
// member is only replaced if it does not respond for Options.ProofTime.
//
// It returns membership.ErrNotPermitted if etcd has users, and the one of the client may not
// change members. After another error the member may have been removed.
func (i *Inspector) Remove(ctx context.Context, request membership.RemovalRequest) (membership.Removal, error) {
	plan, err := i.plan(ctx, request)
	if err != nil || request.IsDryRun {
		return plan, err
	}
	i.moveLeader(ctx, plan)
	err = i.removeWithRetry(ctx, plan.Member.ID)
	switch {
	case err == nil, errors.Is(err, rpctypes.ErrMemberNotFound): // an earlier try has removed it
		return plan, nil
	case plan.Member.IsOwn && i.hasLeft(ctx, plan.Member.ID): // it has stopped before it could respond
		return plan, nil
	case plan.Member.IsOwn && errors.Is(err, rpctypes.ErrStopped) && i.isRemovedAtOthers(ctx, plan):
		return plan, nil
	case errors.Is(err, rpctypes.ErrPermissionDenied), errors.Is(err, rpctypes.ErrUserEmpty):
		return membership.Removal{}, fmt.Errorf("remove member %s: %w: %w", plan.Member.Label(), membership.ErrNotPermitted, err)
	case errors.Is(err, rpctypes.ErrUnhealthy), errors.Is(err, rpctypes.ErrMemberNotEnoughStarted):
		return membership.Removal{}, &membership.UnsafeError{Member: plan.Member.Label(), Reason: fmt.Sprintf("etcd rejects it (%v): other members are not connected to the leader, or only recently; repeat the request in a moment", err)}
	}
	return membership.Removal{}, fmt.Errorf("remove member %s: %w: %w", plan.Member.Label(), runtime.ErrOutcomeUnknown, err)
}

// hasLeft reports whether the own member knows that it was removed.
func (i *Inspector) hasLeft(ctx context.Context, id uint64) bool {
	members, err := ListLocal(ctx, i.client)
	_, isMember := members.ByID(id)
	return err == nil && !isMember
}

// moveLeader makes another member the leader if the member to remove is the leader: writes then
// do not wait for an election timeout. It does its best: without it, the others elect a leader.
func (i *Inspector) moveLeader(ctx context.Context, plan membership.Removal) {
	target, hasTarget := plan.NextLeader()
	if !plan.Member.IsLeader || !hasTarget {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, moveLeaderTime)
	defer cancel()
	if plan.Member.IsOwn {
		_, _ = i.client.MoveLeader(ctx, target.ID)
		return
	}
	for _, url := range plan.Member.ClientURLs {
		conn, err := i.dial(url)
		if err != nil {
			continue
		}
		_, err = pb.NewMaintenanceClient(conn).MoveLeader(ctx, &pb.MoveLeaderRequest{TargetID: target.ID})
		if errors.Join(err, conn.Close()) == nil {
			return
		}
	}
}

// removeWithRetry removes the member. It repeats a request that etcd rejects because it counts
// a member only after it has been connected for five seconds, and one without a response: the
// leader drops a change while another one is in progress.
func (i *Inspector) removeWithRetry(ctx context.Context, id uint64) error {
	deadline := time.Now().Add(unhealthyTime)
	for {
		tryCtx, cancel := context.WithTimeout(ctx, i.opts.Timeout)
		_, err := i.client.MemberRemove(tryCtx, id)
		hasNoResponse := err != nil && tryCtx.Err() != nil && ctx.Err() == nil
		cancel()
		isRepeatable := errors.Is(err, rpctypes.ErrUnhealthy) || hasNoResponse
		if !isRepeatable || time.Now().After(deadline) || wait.For(ctx, probePause) != nil {
			return err
		}
	}
}

// isRemovedAtOthers reports whether another member no longer has the member in its list. The
// member of this process can stop before it knows that it was removed.
func (i *Inspector) isRemovedAtOthers(ctx context.Context, plan membership.Removal) bool {
	ctx, cancel := context.WithTimeout(ctx, i.opts.Timeout)
	defer cancel()
	for ctx.Err() == nil {
		for _, other := range plan.Remaining {
			for _, target := range other.ClientURLs {
				ids, err := i.memberIDs(ctx, target)
				if err == nil && slices.Contains(ids, other.ID) && !slices.Contains(ids, plan.Member.ID) {
					return true
				}
			}
		}
		_ = wait.For(ctx, probePause/5)
	}
	return false
}

// memberIDs returns the ids of the members that the one at a client URL has stored.
func (i *Inspector) memberIDs(ctx context.Context, target string) (ids []uint64, err error) {
	conn, err := i.dial(target)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }()
	list, err := pb.NewClusterClient(conn).MemberList(ctx, &pb.MemberListRequest{})
	for _, m := range list.GetMembers() {
		ids = append(ids, m.GetID())
	}
	return ids, err
}

// plan plans the removal. Before a replacement it proves that the member does not respond.
func (i *Inspector) plan(ctx context.Context, request membership.RemovalRequest) (membership.Removal, error) {
	deadline := time.Now().Add(i.opts.ProofTime)
	for {
		cluster, err := i.Cluster(ctx)
		if err != nil {
			return membership.Removal{}, err
		}
		plan, err := membership.PlanRemoval(cluster, request)
		needsProof := request.IsReplacement && !request.IsForced && !request.IsDryRun
		if err != nil || !needsProof || time.Now().After(deadline) {
			return plan, err
		}
		if err := wait.For(ctx, probePause); err != nil {
			return membership.Removal{}, err
		}
	}
}
