package watchconn

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc/metadata"

	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/etcd"
	"galaxy/rtmanager/internal/planted"
)

// Why a Conn failed. In each case the consumer opens another one after the last revision
// that it has processed.
var (
	ErrSlowConsumer = errors.New("the consumer is too slow for the buffer")
	ErrBroken       = errors.New("the watch of etcd broke")
	ErrNoProgress   = fmt.Errorf("%w: no response to a progress request", ErrBroken)
)

// Source is a prefix of keys on one cluster.
type Source struct {
	Etcd *etcd.Client
	// Watcher makes the watches; it may be a client with a connection of its own.
	Watcher *clientv3.Client
	Prefix  string
	// ProbeKey is the key that linearizable reads of the revision use.
	ProbeKey string
	// ProbeInterval is how long a Conn may be idle before it is probed.
	ProbeInterval time.Duration
	Logger        *slog.Logger
}

// Open watches every change after the revision. withPrevKV requests the value that each
// change replaced. The caller must Close the Conn.
func (s *Source) Open(ctx context.Context, revision int64, withPrevKV bool) *Conn {
	// A stream of its own: watches that share a stream share its progress notifications,
	// and get none while any of them waits for a future revision.
	ctx = metadata.AppendToOutgoingContext(ctx, "rtmanager-watch", uuid.NewString())
	ctx, cancel := context.WithCancel(clientv3.WithRequireLeader(ctx))
	c := &Conn{
		source: s, ctx: ctx, cancel: cancel,
		responses:        make(chan clientv3.WatchResponse, maxBufferedResponses),
		done:             make(chan struct{}),
		progressRequests: make(chan struct{}, 1),
		idleTimeout:      s.ProbeInterval,
	}
	if planted.Sometimes(planted.ResumeOffByOne, 2) {
		revision++
	}
	opts := []clientv3.OpOption{clientv3.WithPrefix(), clientv3.WithRev(revision + 1)}
	if withPrevKV {
		opts = append(opts, clientv3.WithPrevKV())
	}
	go c.receive(opts)
	return c
}

// CheckRevision returns etcd's revision for a consumer that has processed position.
//
// The error is ErrBroken if etcd does not respond, runtime.ErrForeignRevision if its
// revision is older than position, runtime.ErrIncompatible if it is another cluster, or
// the error with which etcd rejected the read.
func (s *Source) CheckRevision(ctx context.Context, position int64) (int64, error) {
	revision, err := s.Etcd.Revision(ctx, s.ProbeKey)
	switch {
	case errors.Is(err, runtime.ErrIncompatible):
		return 0, err
	case err != nil && etcd.Classify(err) == etcd.Permanent:
		return 0, etcd.ToDomainError(err)
	case err != nil:
		return 0, errors.Join(ErrBroken, err)
	case revision < position:
		return 0, etcd.RegressionError(revision, position)
	default:
		return revision, nil
	}
}

// responseError returns the error of a response, nil for one with events or progress.
func (s *Source) responseError(resp clientv3.WatchResponse) error {
	err := resp.Err()
	switch {
	case err == nil:
		return s.Etcd.CheckCluster(resp.Header.GetClusterId())
	case resp.CompactRevision > 0, errors.Is(err, rpctypes.ErrCompacted):
		return runtime.ErrCompacted
	case etcd.Classify(err) == etcd.Permanent:
		return etcd.ToDomainError(err)
	default:
		return errors.Join(ErrBroken, err)
	}
}
