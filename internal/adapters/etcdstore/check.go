package etcdstore

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/adapters/etcdstore/internal/layout"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// Check implements ports.StoreInspector. It reads every key once, in pages at
// one revision, and keeps a few words about each game in memory meanwhile.
func (s *Store) Check(ctx context.Context, repair bool) (ports.CheckReport, error) {
	ctx, done, err := s.begin(ctx)
	if err != nil {
		return ports.CheckReport{}, err
	}
	defer done()
	c, err := asOfNow(ctx, func(ctx context.Context) (*checker, error) { return s.checkAt(ctx, 0) })
	if err != nil {
		return ports.CheckReport{}, fmt.Errorf("check: %w", err)
	}
	if repair {
		c.repair(ctx)
	}
	return c.report(), nil
}

// checker holds what a check has read so far.
type checker struct {
	store      *Store
	revision   int64
	games      map[string]*checkedGame
	unreadable map[string]bool        // games by damaged intents
	assigned   map[string]*assignment // by key of the index of operations, as the intents have them
	order      []string               // game ids in the order of their keys
	counts     ports.CheckReport
	findings   []*finding
}

// checkedGame is what a check keeps of a game's keys.
type checkedGame struct {
	unreadable bool
	record     *layout.Record // nil when unreadable
	indexed    bool           // its one rightful index key was there; of an unreadable record, any
	newest     bool           // the ledger entry of its last operation was there
	slot       int64          // when the slot for that entry was last changed; 0 when empty
}

// assignment is a key that the index of operations ought to have.
type assignment struct {
	gameID string
	intent clientv3.Cmp // that the intent is the one which was checked
	there  bool
}

// finding is a broken rule with the transaction that would mend it, if any.
type finding struct {
	ports.CheckFinding
	mend *mend
}

// checkAt compares everything at the revision, or as of now where it is 0.
// Records come first, so that index and ledger can be held against them.
func (s *Store) checkAt(ctx context.Context, revision int64) (*checker, error) {
	c := &checker{store: s, games: map[string]*checkedGame{}, unreadable: map[string]bool{}, assigned: map[string]*assignment{}, revision: revision}
	for _, family := range []struct {
		prefix string
		check  func(*mvccpb.KeyValue)
	}{
		{s.keys.Records(), c.checkRecord},
		{s.keys.StatusIndex(), c.checkIndex},
		{s.keys.Ledgers(), c.checkLedger},
		{s.keys.Intents(), c.checkIntent},
		{s.keys.OperationIndex(), c.checkAssignment},
	} {
		_, err := s.scan(ctx, family.prefix, family.prefix, c.revision, func(at int64, kvs []*mvccpb.KeyValue) (bool, error) {
			c.revision = at
			for _, kv := range kvs {
				family.check(kv)
			}
			return true, nil
		})
		if err != nil {
			return nil, err
		}
	}
	for _, gameID := range c.order {
		c.checkComplete(gameID)
	}
	c.checkAssigned()
	return c, nil
}

func (c *checker) report() ports.CheckReport {
	report := c.counts
	report.Revision = c.revision
	for _, f := range c.findings {
		report.Findings = append(report.Findings, f.CheckFinding)
	}
	return report
}

func (c *checker) find(kind ports.CheckFindingKind, key, gameID string, m *mend, format string, args ...any) {
	f := &finding{CheckFinding: ports.CheckFinding{Kind: kind, Key: key, GameID: gameID, Detail: fmt.Sprintf(format, args...)}, mend: m}
	if m != nil {
		f.Repair = m.what
	}
	c.findings = append(c.findings, f)
}

func (c *checker) checkRecord(kv *mvccpb.KeyValue) {
	c.counts.Records++
	key := string(kv.GetKey())
	gameID, err := c.store.keys.GameOfRecord(key)
	if err != nil {
		c.find(ports.FindingKeyForeign, key, "", nil, "the key is not a game's: %v", err)
		return
	}
	rec, err := c.store.keys.DecodeRecord(kv)
	if err != nil {
		c.find(ports.FindingRecordUnreadable, key, gameID, nil, "%v", reasonOf(err))
	} else {
		rec.Unknown = nil // the check does not need it, and it may be large
	}
	c.games[gameID] = &checkedGame{record: rec, unreadable: err != nil}
	c.order = append(c.order, gameID)
}

func (c *checker) checkIndex(kv *mvccpb.KeyValue) {
	c.counts.IndexKeys++
	key := string(kv.GetKey())
	status, gameID, err := c.store.keys.ParseStatusIndex(key)
	game := c.games[gameID]
	switch {
	case game != nil && game.unreadable:
		// What its index ought to be, only the record could say: its status may be
		// one that this version does not know either.
		game.indexed = true
	case err != nil:
		c.find(ports.FindingIndexExtra, key, gameID, c.dropIndex(kv, nil), "the key is not an index key: %v", err)
	case game == nil:
		c.find(ports.FindingIndexExtra, key, gameID, c.dropIndex(kv, nil), "the index names a game without a record")
	case game.record.Status != status:
		c.find(ports.FindingIndexExtra, key, gameID, c.dropIndex(kv, game.record), "the index says %s and the record says %s", status, game.record.Status)
	case string(kv.GetValue()) != game.record.CurrentContainerID:
		game.indexed = true
		c.find(ports.FindingIndexValue, key, gameID, c.writeIndex(kv.GetModRevision(), game.record),
			"the index says container %q and the record says %q", kv.GetValue(), game.record.CurrentContainerID)
	default:
		game.indexed = true
	}
}

func (c *checker) checkLedger(kv *mvccpb.KeyValue) {
	c.counts.LedgerEntries++
	key := string(kv.GetKey())
	entry, err := c.store.keys.DecodeLedgerEntry(kv)
	if err != nil {
		c.checkUnreadableEntry(kv, err)
		return
	}
	gameID, _, _ := c.store.keys.ParseLedger(key) // decodeEntry has parsed it
	game := c.games[gameID]
	if game == nil || game.unreadable || entry.Seq%layout.LedgerSlots != game.record.LastWrite.Seq%layout.LedgerSlots {
		return // history of a game that is gone, or older than its record
	}
	game.slot = kv.GetModRevision()
	rec := game.record
	if entry.Seq != rec.LastWrite.Seq {
		return // of another round of the ring: the newest entry is missing
	}
	game.newest = true
	if entry.To != rec.Status || entry.OperationID != rec.LastWrite.OperationID || entry.ContainerID != rec.CurrentContainerID {
		c.find(ports.FindingLedgerMismatch, key, gameID, c.writeEntry(kv.GetModRevision(), rec),
			"entry %d tells of operation %q to %s, container %q; the record of operation %q, %s, container %q",
			entry.Seq, entry.OperationID, entry.To, entry.ContainerID, rec.LastWrite.OperationID, rec.Status, rec.CurrentContainerID)
	}
}

// checkUnreadableEntry reports a damaged ledger entry. It is left alone: the
// ring will pass over it, and until then it is evidence.
func (c *checker) checkUnreadableEntry(kv *mvccpb.KeyValue, err error) {
	key := string(kv.GetKey())
	gameID, slot, keyErr := c.store.keys.ParseLedger(key)
	if keyErr != nil {
		c.find(ports.FindingKeyForeign, key, "", nil, "the key is not a ledger entry's: %v", keyErr)
		return
	}
	c.find(ports.FindingLedgerUnreadable, key, gameID, nil, "%v", reasonOf(err))
	if game := c.games[gameID]; game != nil && !game.unreadable && game.record.LastWrite.Seq%layout.LedgerSlots == slot {
		game.newest = true // reported already
	}
}

// checkIntent reports a damaged intent. What was meant to be of the game, nobody
// else knows, so it is left for a person.
func (c *checker) checkIntent(kv *mvccpb.KeyValue) {
	key := string(kv.GetKey())
	gameID, err := c.store.keys.GameOfIntent(key)
	if err != nil {
		c.find(ports.FindingKeyForeign, key, "", nil, "the key is not a game's: %v", err)
		return
	}
	intent, err := c.store.keys.DecodeIntent(kv)
	if err != nil {
		c.find(ports.FindingIntentUnreadable, key, gameID, nil, "%v", reasonOf(err))
		c.unreadable[gameID] = true
		return
	}
	if op := intent.ActiveOperation(); op != nil {
		c.assigned[c.store.keys.OperationIndexKey(op.Region, op.Node, gameID)] = &assignment{
			gameID: gameID, intent: clientv3.Compare(clientv3.ModRevision(key), "=", kv.GetModRevision()),
		}
	}
}

// checkAssignment reports a key of the index of operations that no intent has. What
// an unreadable one has, nobody knows.
func (c *checker) checkAssignment(kv *mvccpb.KeyValue) {
	key := string(kv.GetKey())
	gameID, err := c.store.keys.GameOfOperationIndex(key)
	switch rightful := c.assigned[key]; {
	case rightful != nil:
		rightful.there = true
	case err == nil && c.unreadable[gameID]:
	default:
		c.find(ports.FindingIndexExtra, key, gameID, c.dropIndex(kv, nil), "the index names an operation that is not in progress there")
	}
}

// checkAssigned reports the keys that the index of operations ought to have and has not.
func (c *checker) checkAssigned() {
	for _, key := range slices.Sorted(maps.Keys(c.assigned)) {
		if a := c.assigned[key]; !a.there {
			c.find(ports.FindingIndexMissing, key, a.gameID, &mend{
				what: "write the index key", pinned: []clientv3.Cmp{a.intent}, ops: []clientv3.Op{clientv3.OpPut(key, "")},
			}, "the game has an operation in progress and no index key for it")
		}
	}
}

// checkComplete reports the keys that a record ought to have and has not.
func (c *checker) checkComplete(gameID string) {
	game := c.games[gameID]
	if game.unreadable {
		return
	}
	rec := game.record
	if !game.indexed {
		c.find(ports.FindingIndexMissing, c.store.keys.StatusIndexKey(rec.Status, gameID), gameID, c.writeIndex(0, rec),
			"the record is %s and has no index key", rec.Status)
	}
	if !game.newest {
		c.find(ports.FindingLedgerMissing, c.store.keys.LedgerEntry(gameID, rec.LastWrite.Seq), gameID, c.writeEntry(game.slot, rec),
			"the record was written by operation %q and the ledger has no entry %d", rec.LastWrite.OperationID, rec.LastWrite.Seq)
	}
}

// reasonOf is a decoding error without the key, which the finding names itself.
func reasonOf(err error) string {
	if fault, ok := errors.AsType[*runtime.CorruptError](err); ok {
		return fault.Reason
	}
	return err.Error()
}
