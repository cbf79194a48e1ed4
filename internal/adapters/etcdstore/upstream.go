package etcdstore

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc/metadata"

	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/etcd"
)

// maxBufferedEvents bounds the events that wait for one slow consumer, some
// 2 KB each. Beyond it the upstream is let go of, and opened again where the
// consumer stands once it has caught up: etcd keeps the rest meanwhile.
const (
	maxBufferedEvents    = 2048
	maxBufferedResponses = 256
)

// Why an upstream is over. All are healed by opening another one behind the
// last processed revision.
var (
	errBehind = errors.New("the consumer is too slow for the buffer")
	errBroken = errors.New("the watch of etcd broke")
	errSilent = fmt.Errorf("%w: it kept silent", errBroken)
)

// upstream is one watch of etcd on all records. A goroutine of its own takes
// the answers from the client, whose buffer is unbounded and is lost when the
// watch closes, and keeps them until the consumer comes.
type upstream struct {
	store     *Store
	ctx       context.Context // of the etcd watch; carries the key of its stream
	cancel    context.CancelFunc
	responses chan clientv3.WatchResponse
	buffered  atomic.Int64
	done      chan struct{}
	// nudges has room for one wish that etcd be asked how far the watch has come. It
	// is asked by whoever takes the responses, since asking can take long: the
	// client blocks while it opens its stream anew.
	nudges  chan struct{}
	behind  bool          // set before responses is closed
	silence time.Duration // how long it may say nothing before it is asked
	// asked tells that a request for progress is out since the last response.
	asked bool
}

// openUpstream watches every change behind the revision. withBefore asks for the
// value that each replaced.
func (s *Store) openUpstream(ctx context.Context, revision int64, withBefore bool) *upstream {
	// A stream of its own: watches that share one share its progress, and it
	// starves while any of them waits for a revision yet to come.
	ctx = metadata.AppendToOutgoingContext(ctx, "rtmanager-watch", uuid.NewString())
	ctx, cancel := context.WithCancel(clientv3.WithRequireLeader(ctx))
	u := &upstream{
		store: s, ctx: ctx, cancel: cancel,
		responses: make(chan clientv3.WatchResponse, maxBufferedResponses),
		done:      make(chan struct{}),
		nudges:    make(chan struct{}, 1),
		silence:   s.opts.ProbeInterval,
	}
	opts := []clientv3.OpOption{clientv3.WithPrefix(), clientv3.WithRev(revision + 1)}
	if withBefore {
		opts = append(opts, clientv3.WithPrevKV())
	}
	go u.receive(opts)
	return u
}

func (u *upstream) receive(opts []clientv3.OpOption) {
	defer close(u.done)
	defer close(u.responses)
	// Opened here, because the client blocks for as long as it has no connection
	// and the consumer has to notice that too.
	incoming := u.store.watchClient.Watch(u.ctx, u.store.keys.Records(), opts...)
	for resp := range incoming {
		if !u.keep(resp) {
			u.behind = true
			u.cancel() // or the client would go on filling its own buffer
			return
		}
	}
}

// keep stores a response for the consumer, unless the buffer is full. A single
// response always fits: it is one step of etcd's own replay.
func (u *upstream) keep(resp clientv3.WatchResponse) bool {
	size := int64(len(resp.Events))
	if waiting := u.buffered.Add(size); waiting > maxBufferedEvents && waiting > size {
		return false
	}
	select {
	case u.responses <- resp:
		return true
	default:
		return false
	}
}

// close ends the watch and waits until nothing of it is left.
func (u *upstream) close() {
	u.cancel()
	<-u.done
}

// next waits for the next response, or for the end of a silence that turned out
// to be healthy: the response is zero then. A silent upstream is asked for a sign of
// life: etcd's own leader check does not exist on the in-process client, and
// nowhere does a vanished server announce itself. position is the revision that
// the consumer has processed; where etcd has nothing newer, silence is right,
// and a linearizable read proves that etcd is there.
//
// The error is runtime.ErrCompacted, errBehind, errBroken, one of standing's, or
// the reason why ctx ended.
func (u *upstream) next(ctx context.Context, position int64) (clientv3.WatchResponse, error) {
	silence := time.NewTimer(u.silence)
	defer silence.Stop()
	for {
		select {
		case resp, open := <-u.responses:
			if !open {
				return resp, u.end(ctx)
			}
			u.asked = false
			u.buffered.Add(-int64(len(resp.Events)))
			return resp, u.store.responseError(resp)
		case <-ctx.Done():
			return clientv3.WatchResponse{}, context.Cause(ctx)
		case <-silence.C:
			return clientv3.WatchResponse{}, u.probe(ctx, position)
		case <-u.nudges:
			if err := u.askProgress(); err != nil {
				return clientv3.WatchResponse{}, err
			}
		}
	}
}

func (u *upstream) end(ctx context.Context) error {
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case u.behind:
		return errBehind
	default:
		return errBroken
	}
}

func (s *Store) responseError(resp clientv3.WatchResponse) error {
	err := resp.Err()
	switch {
	case err == nil:
		return s.etcd.CheckCluster(resp.Header.GetClusterId())
	case resp.CompactRevision > 0, errors.Is(err, rpctypes.ErrCompacted):
		return runtime.ErrCompacted
	case etcd.Classify(err) == etcd.Permanent:
		return etcd.ToDomainError(err)
	default:
		return errors.Join(errBroken, err)
	}
}

// probe finds out whether a silent upstream is alive, and asks it for its
// progress where etcd has moved on without it. A question that has gone
// unanswered since the last probe means that the upstream is dead.
func (u *upstream) probe(ctx context.Context, position int64) error {
	head, err := u.store.standing(ctx, position)
	switch {
	case err != nil:
		return err
	case head == position:
		u.asked = false
		return nil
	case u.asked:
		return errSilent
	}
	u.asked = true
	return u.askProgress()
}

// askProgress asks for a response that tells how far the upstream has come.
func (u *upstream) askProgress() error {
	select {
	case <-u.done:
		return errBroken // the client would open its stream anew, and nobody would close that
	default:
	}
	call, cancel := context.WithTimeout(u.ctx, u.store.opts.CallTimeout)
	defer cancel()
	if err := u.store.watchClient.RequestProgress(call); err != nil {
		return errors.Join(errBroken, err)
	}
	return nil
}

// head returns etcd's revision by one linearizable read, tried once.
func (s *Store) head(ctx context.Context) (int64, error) {
	resp, err := etcd.TryOnce(ctx, s.etcd, func(ctx context.Context) (*clientv3.GetResponse, error) {
		return s.client.Get(ctx, s.keys.Schema(), clientv3.WithKeysOnly())
	})
	if err != nil {
		return 0, err
	}
	return resp.Header.GetRevision(), s.etcd.CheckCluster(resp.Header.GetClusterId())
}

// headFor is head for a caller who waits: it is asked for until its patience
// ends, together with others where there is a barrier.
func (s *Store) headFor(ctx context.Context) (int64, error) {
	if s.barrier != nil {
		if revision, err := s.barrier.wait(ctx); err == nil {
			return revision, nil
		}
	}
	resp, err := s.etcd.Get(ctx, s.keys.Schema(), clientv3.WithKeysOnly())
	if err != nil {
		return 0, err
	}
	return resp.Header.GetRevision(), nil
}

// standing is head for a stream that has come to position.
//
// The error is errBroken, runtime.ErrForeignRevision when etcd has gone back
// behind position, runtime.ErrIncompatible when it is another cluster, or what
// etcd refused the read with.
func (s *Store) standing(ctx context.Context, position int64) (int64, error) {
	head, err := s.head(ctx)
	switch {
	case errors.Is(err, runtime.ErrIncompatible):
		return 0, err
	case err != nil && etcd.Classify(err) == etcd.Permanent:
		return 0, etcd.ToDomainError(err)
	case err != nil:
		return 0, errors.Join(errBroken, err)
	case head < position:
		return 0, etcd.RegressionError(head, position)
	default:
		return head, nil
	}
}
