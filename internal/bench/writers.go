package bench

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// The families of keys of the store's layout, which bare requests use too.
const (
	recordFamily = "/runtimes/"
	indexFamily  = "/runtimes-by-status/"
	ledgerFamily = "/transitions/"
	ledgerSlots  = 32
)

// updates holds the store's transitions against the bare transactions that they
// are made of.
func updates(writers func(Options) int) func(context.Context, *rig) (side, side, error) {
	return func(_ context.Context, r *rig) (ours, theirs side, err error) {
		ours, theirs = r.updateSides(writers(r.options))
		return ours, theirs, nil
	}
}

func (r *rig) updateSides(writers int) (ours, theirs side) {
	ours.writes, theirs.writes = true, true
	for i := range writers {
		ours.workers = append(ours.workers, timed(r.writers[i].on(r.store)))
		theirs.workers = append(theirs.workers, timed(r.bare[i].send))
	}
	return ours, theirs
}

// writer moves one game to and fro between running and stopped.
type writer struct{ input ports.UpdateStatusInput }

func newWriter(ctx context.Context, store ports.RuntimeRecordStore, game string) (*writer, error) {
	inserted := running(game)
	w := &writer{input: ports.UpdateStatusInput{
		GameID: game, ExpectedFrom: runtime.StatusRunning, To: runtime.StatusStopped,
		ExpectedContainerID: inserted.CurrentContainerID, Now: inserted.LastOpAt,
	}}
	return w, store.Upsert(ctx, inserted)
}

// on makes the writer's next transition through a store.
func (w *writer) on(store ports.RuntimeRecordStore) func(context.Context) error {
	return func(ctx context.Context) error {
		if err := store.UpdateStatus(ctx, w.input); err != nil {
			return err
		}
		w.input.ExpectedFrom, w.input.To = w.input.To, w.input.ExpectedFrom
		return nil
	}
}

// bareWriter sends the transaction that a transition is, as one who is the only
// writer of the game and knows every revision beforehand. What does not change
// from one to the next is made once.
type bareWriter struct {
	client   *clientv3.Client
	record   string
	ledger   [ledgerSlots]string
	truth    clientv3.Op
	revision int64
	sent     int
	moves    [2]bareMove // to stopped, and back
}

// bareMove is one direction, with the values that the store has written for it.
type bareMove struct {
	compares []clientv3.Cmp // the first, on the revision, changes
	ops      []clientv3.Op  // the last, the ledger's put, changes
	entry    string
}

// newBareWriter lets a store make the game and move it to and fro once, and
// learns from what it wrote.
func newBareWriter(ctx context.Context, client *clientv3.Client, store ports.RuntimeRecordStore, prefix, game string) (*bareWriter, error) {
	teacher, err := newWriter(ctx, store, game)
	if err != nil {
		return nil, err
	}
	w := &bareWriter{client: client, record: prefix + recordFamily + game}
	w.truth = clientv3.OpGet(w.record)
	for slot := range w.ledger {
		w.ledger[slot] = fmt.Sprintf("%s%s%s/%02d", prefix, ledgerFamily, game, slot)
	}
	w.sent = 1 // the insert
	for i := range w.moves {
		from, to, container := teacher.input.ExpectedFrom, teacher.input.To, teacher.input.ExpectedContainerID
		if err := teacher.on(store)(ctx); err != nil {
			return nil, err
		}
		w.sent++
		value, entry, err := w.written(ctx)
		if err != nil {
			return nil, err
		}
		index := func(status runtime.Status) string { return prefix + indexFamily + string(status) + "/" + game }
		w.moves[i] = bareMove{
			compares: []clientv3.Cmp{
				{}, // on the revision
				clientv3.Compare(clientv3.Value(index(from)), "=", container),
				clientv3.Compare(clientv3.CreateRevision(index(to)), "=", 0),
				clientv3.Compare(clientv3.CreateRevision(index(runtime.StatusRemoved)), "=", 0),
			},
			ops: []clientv3.Op{
				clientv3.OpDelete(index(from)), clientv3.OpPut(w.record, value), clientv3.OpPut(index(to), container),
				{}, // of the ledger
			},
			entry: entry,
		}
	}
	return w, nil
}

// written returns what the store has just written, and learns its revision.
func (w *bareWriter) written(ctx context.Context) (value, entry string, err error) {
	resp, err := w.client.Txn(ctx).Then(w.truth, clientv3.OpGet(w.ledger[w.sent%ledgerSlots])).Commit()
	if err != nil {
		return "", "", err
	}
	record, ledger := resp.Responses[0].GetResponseRange().GetKvs(), resp.Responses[1].GetResponseRange().GetKvs()
	if len(record) == 0 || len(ledger) == 0 {
		return "", "", errors.New("the store keeps record and ledger elsewhere than bare requests look for them")
	}
	w.revision = record[0].GetModRevision()
	return string(record[0].GetValue()), string(ledger[0].GetValue()), nil
}

// errLost cannot happen while the prefix is the run's own.
var errLost = errors.New("the bare transaction's compare failed; somebody else has written its keys")

func (w *bareWriter) send(ctx context.Context) error {
	w.sent++
	move := &w.moves[w.sent%2]
	move.compares[0] = clientv3.Compare(clientv3.ModRevision(w.record), "=", w.revision)
	move.ops[3] = clientv3.OpPut(w.ledger[w.sent%ledgerSlots], move.entry)
	resp, err := w.client.Txn(ctx).If(move.compares...).Then(move.ops...).Else(w.truth).Commit()
	if err != nil {
		return err
	}
	if !resp.Succeeded {
		return errLost
	}
	w.revision = resp.Header.GetRevision()
	return nil
}

func gameOfWriter(i int) string { return fmt.Sprintf("writer-%07d", i) }
func gameOfRecord(i int) string { return fmt.Sprintf("game-%07d", i) }

// record is the i-th that is loaded. The first few are of removed games, and
// ListByStatus asks for those.
func record(i, removed int) runtime.RuntimeRecord {
	rec := running(gameOfRecord(i))
	if i < removed {
		rec.Status, rec.CurrentContainerID, rec.RemovedAt = runtime.StatusRemoved, "", rec.StartedAt
	}
	return rec
}

// running is a running game's record with every field filled as in life, about
// 500 bytes of JSON.
func running(game string) runtime.RuntimeRecord {
	now := time.Now().UTC()
	return runtime.RuntimeRecord{
		GameID: game, Status: runtime.StatusRunning, Region: "eu-west", Node: "node-eu-west-01",
		CurrentContainerID: fmt.Sprintf("%x", sha256.Sum256([]byte(game))), // 64 letters, as Docker's
		CurrentImageRef:    "registry.example/games/engine:1.4.2",
		EngineEndpoint:     "http://10.0.0.1:7777", StatePath: "/var/lib/games/" + game, DockerNetwork: "games",
		Generation: 1, CreatedAt: now, LastOpAt: now, StartedAt: &now,
	}
}
