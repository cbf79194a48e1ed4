package bench

import (
	"context"
	"fmt"
	"strings"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/domain/runtime"
)

// LeftoverError says that keys of a run were left on the cluster.
type LeftoverError struct {
	Prefix string
	Err    error
}

func (e *LeftoverError) Error() string {
	return fmt.Sprintf("keys were left behind under %s and could not be removed: %v", e.Prefix, e.Err)
}

func (e *LeftoverError) Unwrap() error { return e.Err }

// close closes the store and removes everything that the run wrote, also when
// ctx has ended.
func (r *rig) close(ctx context.Context) error {
	r.closeStore()
	if r.cluster.Embedded {
		return nil
	}
	r.progress(Progress{Doing: "remove " + r.prefix})
	how := removal{client: r.cluster.Client, prefix: r.prefix + "/", known: r.loadedRanges(), tries: 5, call: 10 * time.Second}
	if !r.opened {
		// The cluster may not be there at all, and nothing has been written but,
		// perhaps, a store's identity.
		how.tries, how.call = 1, time.Second
	}
	if err := how.run(context.WithoutCancel(ctx)); err != nil && r.opened {
		return &LeftoverError{Prefix: r.prefix, Err: err}
	}
	return nil
}

// removal deletes every key of a prefix, in requests that hold up the cluster's
// other users for a few milliseconds each.
type removal struct {
	client *clientv3.Client
	prefix string
	// known are prefixes of keys that are likely there, those of a request in
	// one list.
	known [][]string
	tries int // of each request, a second apart
	call  time.Duration
}

// keysPerRemoval is how many keys a request deletes, where it has to ask for them.
const keysPerRemoval = 500

// run first deletes the records that were loaded, whose keys it knows: asked
// for some keys, etcd counts all that there are. Then it takes away, some at
// a time, whatever is left.
func (m removal) run(ctx context.Context) error {
	for _, ranges := range m.known {
		if err := m.insist(func() error { return m.deleteRanges(ctx, ranges) }); err != nil {
			return err
		}
	}
	for more := true; more; {
		err := m.insist(func() (err error) {
			more, err = m.deleteSome(ctx)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// insist repeats a request that failed, but not for ever.
func (m removal) insist(request func() error) error {
	err := request()
	for try := 1; err != nil && try < m.tries; try++ {
		<-time.After(time.Second)
		err = request()
	}
	return err
}

func (m removal) deleteRanges(ctx context.Context, prefixes []string) error {
	ctx, cancel := context.WithTimeout(ctx, m.call)
	defer cancel()
	var deletes []clientv3.Op
	for _, prefix := range prefixes {
		deletes = append(deletes, clientv3.OpDelete(prefix, clientv3.WithPrefix()))
	}
	_, err := m.client.Txn(ctx).Then(deletes...).Commit()
	return err
}

// deleteSome deletes the first keys, and reports false when there are none any
// more.
func (m removal) deleteSome(ctx context.Context) (more bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, m.call)
	defer cancel()
	found, err := m.client.Get(ctx, m.prefix, clientv3.WithPrefix(), clientv3.WithKeysOnly(), clientv3.WithLimit(keysPerRemoval))
	if err != nil || len(found.Kvs) == 0 {
		return false, err
	}
	last := string(found.Kvs[len(found.Kvs)-1].GetKey())
	_, err = m.client.Delete(ctx, string(found.Kvs[0].GetKey()), clientv3.WithRange(last+"\x00"))
	return true, err
}

// loadedRanges are the keys of all records that may have been loaded, of a
// hundred games each.
func (r *rig) loadedRanges() [][]string {
	var all [][]string
	for first := 0; first < r.begun; first += 100 {
		games := strings.TrimSuffix(gameOfRecord(first), "00")
		var ranges []string
		for _, family := range []string{
			recordFamily, ledgerFamily, indexFamily + string(runtime.StatusRunning) + "/", indexFamily + string(runtime.StatusRemoved) + "/",
		} {
			ranges = append(ranges, r.storePrefix()+family+games)
		}
		all = append(all, ranges)
	}
	return all
}
