package etcdcluster

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// TakenError reports that a started member with a vote, or a learner that runs, has the name or the peer URL of a candidate.
type TakenError struct {
	Candidate Candidate
	Member    Member
}

func (e *TakenError) Error() string {
	return fmt.Sprintf("the cluster has a member %s (%s); if that member or its disk is lost, replace it, and if not, use another name and another address",
		e.Member.Label(), strings.Join(e.Member.PeerURLs, ", "))
}

// LoopbackError reports that a candidate could not reach a member of the cluster.
type LoopbackError struct{ Member Member }

func (e *LoopbackError) Error() string {
	return fmt.Sprintf("the member %s has the peer URL %s, which other machines cannot reach; start it with an address of its network first",
		e.Member.Label(), strings.Join(e.Member.PeerURLs, ", "))
}

// errIDRemoved is the error of an entry for the same peer URL within a second: etcd derives the id of
// an entry from both, and the id was removed.
var errIDRemoved = errors.New("the entry of an interrupted join was removed just now")

// IsTemporary reports whether the cluster may accept the same change later.
func IsTemporary(err error) bool {
	for _, temporary := range []error{
		errIDRemoved, rpctypes.ErrTooManyLearners, rpctypes.ErrUnhealthy, rpctypes.ErrMemberNotEnoughStarted, rpctypes.ErrMemberLearnerNotReady,
		rpctypes.ErrPeerURLExist, rpctypes.ErrNoLeader, rpctypes.ErrNotLeader, rpctypes.ErrLeaderChanged, rpctypes.ErrTimeout,
		rpctypes.ErrTimeoutDueToLeaderFail, rpctypes.ErrTimeoutDueToConnectionLost, rpctypes.ErrTimeoutWaitAppliedIndex,
	} {
		if errors.Is(err, temporary) {
			return true
		}
	}
	return isUnreachable(err)
}

// IsCertificateError reports whether a request failed because one of both sides does not accept
// the certificate of the other.
func IsCertificateError(err error) bool {
	if err == nil {
		return false
	}
	text := err.Error()
	return strings.Contains(text, "tls: ") || strings.Contains(text, "x509: ")
}

// isUnreachable reports whether no member responded.
func isUnreachable(err error) bool {
	if errors.Is(err, context.DeadlineExceeded) {
		return true
	}
	code := status.Code(err)
	if translated, isOfEtcd := errors.AsType[rpctypes.EtcdError](err); isOfEtcd {
		code = translated.Code() // that of a member which stops, for example
	}
	return (code == codes.Unavailable || code == codes.DeadlineExceeded) && !IsCertificateError(err)
}
