package bench

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"

	"github.com/go-json-experiment/json"
	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/domain/runtime"
)

// gamesPerReader is how many games a reader knows by heart, drawn at random from
// all, so that neither side pays for making up ids or keys.
const gamesPerReader = 1024

// gets holds the store's linearizable Get against etcd's, of the same games in
// the same order.
func gets(_ context.Context, r *rig) (ours, theirs side, err error) {
	for i := range r.options.Readers {
		games, keys := r.randomGames(uint64(i))
		ours.workers = append(ours.workers, timed(func() func(context.Context) error {
			next := 0
			return func(ctx context.Context) error {
				next = (next + 1) % len(games)
				_, err := r.store.Get(ctx, games[next])
				return err
			}
		}()))
		theirs.workers = append(theirs.workers, timed(func() func(context.Context) error {
			next := 0
			return func(ctx context.Context) error {
				next = (next + 1) % len(keys)
				resp, err := r.cluster.Client.Get(ctx, keys[next])
				if err == nil && len(resp.Kvs) == 0 {
					err = fmt.Errorf("etcd has no key %s", keys[next])
				}
				return err
			}
		}()))
	}
	return ours, theirs, nil
}

// randomGames draws the games of a reader, and gives their records' keys.
func (r *rig) randomGames(reader uint64) (games, keys []string) {
	random := rand.New(rand.NewPCG(reader, 1))
	games, keys = make([]string, gamesPerReader), make([]string, gamesPerReader)
	for i := range games {
		games[i] = gameOfRecord(random.IntN(r.options.Records))
		keys[i] = r.recordKey(games[i])
	}
	return games, keys
}

// lists holds List against a range of the same records in pages, decoded.
func lists(_ context.Context, r *rig) (ours, theirs side, err error) {
	return only(r.list), only(r.scan), nil
}

// listsByStatus holds ListByStatus of the few removed games against List of all.
func listsByStatus(_ context.Context, r *rig) (ours, theirs side, err error) {
	few := func(ctx context.Context) error {
		records, err := r.store.ListByStatus(ctx, runtime.StatusRemoved)
		return r.expect(len(records), r.options.rare(), err)
	}
	return only(few), only(r.list), nil
}

// only is a side with one worker.
func only(operation func(context.Context) error) side {
	return side{workers: []call{timed(operation)}}
}

func (r *rig) list(ctx context.Context) error {
	records, err := r.store.List(ctx)
	return r.expect(len(records), r.stored(), err)
}

// stored is how many records the store holds.
func (r *rig) stored() int { return r.loaded + len(r.writers) }

// expect is an error for an answer of another length than it ought to have.
func (r *rig) expect(got, want int, err error) error {
	if err == nil && got != want {
		err = fmt.Errorf("the answer has %d records; %d were stored", got, want)
	}
	return err
}

// scanPage is how many records a page of the bare range has. For every page etcd
// counts all keys that follow, so that small ones cost far more; larger ones than
// this are no faster.
const scanPage = 10_000

// plainRecord is a stored record as far as a reader needs it.
type plainRecord struct {
	runtime.RuntimeRecord
}

// scan reads all records from etcd at one revision, and decodes each.
func (r *rig) scan(ctx context.Context) error {
	from := r.recordKey("")
	end := clientv3.GetPrefixRangeEnd(from)
	records := make([]plainRecord, 0, r.stored()) // as if it knew
	revision := int64(0)
	for {
		page, err := r.cluster.Client.Get(ctx, from, clientv3.WithRange(end), clientv3.WithLimit(scanPage), clientv3.WithRev(revision))
		if err != nil {
			return err
		}
		if revision == 0 {
			revision = page.Header.GetRevision()
		}
		for _, kv := range page.Kvs {
			records = append(records, plainRecord{})
			if err := json.Unmarshal(kv.GetValue(), &records[len(records)-1]); err != nil {
				return errors.Join(fmt.Errorf("decode %s", kv.GetKey()), err)
			}
		}
		if !page.More {
			return r.expect(len(records), r.stored(), nil)
		}
		from = string(page.Kvs[len(page.Kvs)-1].GetKey()) + "\x00"
	}
}
