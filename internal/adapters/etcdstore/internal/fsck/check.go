package fsck

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"maps"
	"slices"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/adapters/etcdstore/internal/layout"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/etcd"
	"galaxy/rtmanager/internal/ports"
)

// Checker checks the keys of one store.
type Checker struct {
	etcd *etcd.Client
	keys layout.Keys

	revision       int64
	games          map[string]*game
	corruptIntents map[string]bool            // by game
	operations     map[string]*operationIndex // by the index key that an intent implies
	leftLedgers    map[string]bool            // by game: has a ledger and no record
	operationIDs   map[uint64]bool            // hashes of the keys in the index of operation ids that an intent implies
	seed           maphash.Seed
	order          []string // game ids in the order of their keys
	counts         ports.CheckReport
	findings       []*finding
	obsolete       []*finding // keys that do no harm; only Repair reports them
}

// game is what a check keeps of a game's keys.
type game struct {
	isCorrupt bool
	record    *layout.Record // nil if it is corrupt
	// hasIndex means that its one correct index key exists; for a corrupt record, any.
	hasIndex bool
	// hasEntry means that the ledger entry of its last write exists.
	hasEntry bool
	// slotRevision is when the slot for that entry was last changed; 0 if it is empty.
	slotRevision int64
}

// operationIndex is a key that the index of operations should have.
type operationIndex struct {
	gameID string
	// isUnchanged compares that the intent is the one that was checked.
	isUnchanged clientv3.Cmp
	exists      bool
}

// finding is a violated rule with the transaction that would repair it, if there is one.
type finding struct {
	ports.CheckFinding
	repair *repairTxn
}

// Check scans every key once, in pages at the revision, or at the current one for 0. It keeps
// a small amount of memory per game. others are the families that are independent of the records.
func Check(ctx context.Context, client *etcd.Client, keys layout.Keys, revision int64, others ...etcd.FamilyCheck) (*Checker, error) {
	c := &Checker{
		etcd: client, keys: keys, revision: revision,
		games: map[string]*game{}, corruptIntents: map[string]bool{}, operations: map[string]*operationIndex{},
		leftLedgers: map[string]bool{}, operationIDs: map[uint64]bool{}, seed: maphash.MakeSeed(),
	}
	// Records come first, so that index and ledger can be compared with them.
	families := []family{
		{keys.Records(), c.checkRecord},
		{keys.StatusIndex(), c.checkStatusIndex},
		{keys.Ledgers(), c.checkLedger},
		{keys.Intents(), c.checkIntent},
		{keys.OperationIndex(), c.checkOperationIndex},
		{keys.OperationIDs(), c.checkOperationID},
		{keys.DeletionEpochs(), c.checkDeletionEpoch},
	}
	for _, other := range others {
		families = append(families, family{other.Prefix, func(kv *mvccpb.KeyValue) { c.checkValue(other, kv) }})
	}
	for _, family := range families {
		_, err := client.Scan(ctx, family.prefix, family.prefix, c.revision, func(revision int64, kvs []*mvccpb.KeyValue) (bool, error) {
			c.revision = revision
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
		c.checkMissingKeys(gameID)
	}
	c.checkMissingOperations()
	return c, nil
}

// family is a prefix of keys with the check of each key.
type family struct {
	prefix string
	check  func(*mvccpb.KeyValue)
}

// checkValue reports a value of another family that cannot be read. No other key contains what it did, so an operator
// has to repair it.
func (c *Checker) checkValue(family etcd.FamilyCheck, kv *mvccpb.KeyValue) {
	if err := family.Check(kv); err != nil {
		c.add(ports.FindingValueUnreadable, string(kv.GetKey()), "", nil, "%v; until it is repaired, %s", reasonOf(err), family.Effect)
	}
}

// Report returns the findings.
func (c *Checker) Report() ports.CheckReport {
	report := c.counts
	report.Revision = c.revision
	for _, f := range c.findings {
		report.Findings = append(report.Findings, f.CheckFinding)
	}
	return report
}

// add adds a finding; repair is nil if it cannot be repaired.
func (c *Checker) add(kind ports.CheckFindingKind, key, gameID string, repair *repairTxn, format string, args ...any) {
	c.findings = append(c.findings, newFinding(kind, key, gameID, repair, fmt.Sprintf(format, args...)))
}

func newFinding(kind ports.CheckFindingKind, key, gameID string, repair *repairTxn, detail string) *finding {
	f := &finding{CheckFinding: ports.CheckFinding{Kind: kind, Key: key, GameID: gameID, Detail: detail}, repair: repair}
	if repair != nil {
		f.Repair = repair.description
	}
	return f
}

func (c *Checker) checkRecord(kv *mvccpb.KeyValue) {
	c.counts.Records++
	key := string(kv.GetKey())
	gameID, err := c.keys.GameOfRecord(key)
	if err != nil {
		c.add(ports.FindingKeyForeign, key, "", nil, "the key does not name a game: %v", err)
		return
	}
	rec, err := c.keys.DecodeRecord(kv)
	if err != nil {
		c.add(ports.FindingRecordUnreadable, key, gameID, nil, "%v", reasonOf(err))
	} else {
		rec.Unknown = nil // not needed here, and it may be large
	}
	c.games[gameID] = &game{record: rec, isCorrupt: err != nil}
	c.order = append(c.order, gameID)
}

func (c *Checker) checkStatusIndex(kv *mvccpb.KeyValue) {
	c.counts.IndexKeys++
	key := string(kv.GetKey())
	status, gameID, err := c.keys.ParseStatusIndex(key)
	g := c.games[gameID]
	switch {
	case g != nil && g.isCorrupt:
		// Only the record could determine which index key is correct: its status may be one that
		// this version does not know either.
		g.hasIndex = true
	case err != nil:
		c.add(ports.FindingIndexExtra, key, gameID, c.deleteIndex(kv, nil), "the key is not an index key: %v", err)
	case g == nil || g.record.Status != status:
		var rec *layout.Record
		if g != nil {
			rec = g.record
		}
		c.add(ports.FindingIndexExtra, key, gameID, c.deleteIndex(kv, rec), "%s", layout.StatusIndexFault(rec, status, kv))
	default:
		g.hasIndex = true
		if fault := layout.StatusIndexFault(g.record, status, kv); fault != "" {
			c.add(ports.FindingIndexValue, key, gameID, c.putIndex(kv.GetModRevision(), g.record), "%s", fault)
		}
	}
}

func (c *Checker) checkLedger(kv *mvccpb.KeyValue) {
	c.counts.LedgerEntries++
	key := string(kv.GetKey())
	entry, err := c.keys.DecodeLedgerEntry(kv)
	if err != nil {
		c.checkCorruptEntry(kv, err)
		return
	}
	gameID, _, _ := c.keys.ParseLedger(key) // DecodeLedgerEntry has parsed it
	g := c.games[gameID]
	if g == nil {
		c.addLeftLedger(gameID, key)
		return
	}
	if g.isCorrupt || entry.Seq%layout.LedgerSlots != g.record.LastWrite.Seq%layout.LedgerSlots {
		return // older than the record
	}
	g.slotRevision = kv.GetModRevision()
	rec := g.record
	if entry.Seq != rec.LastWrite.Seq {
		return // an earlier entry of the ring: the newest entry is missing
	}
	g.hasEntry = true
	if entry.To != rec.Status || entry.OperationID != rec.LastWrite.OperationID || entry.ContainerID != rec.CurrentContainerID {
		c.add(ports.FindingLedgerMismatch, key, gameID, c.putEntry(kv.GetModRevision(), rec),
			"entry %d has operation %q to %s, container %q; the record has operation %q, %s, container %q",
			entry.Seq, entry.OperationID, entry.To, entry.ContainerID, rec.LastWrite.OperationID, rec.Status, rec.CurrentContainerID)
	}
}

// addLeftLedger reports, once, the ledger of a game whose record was deleted without it.
func (c *Checker) addLeftLedger(gameID, key string) {
	if !c.leftLedgers[gameID] {
		c.leftLedgers[gameID] = true
		c.add(ports.FindingLedgerExtra, key, gameID, c.deleteLedger(gameID), "the game has a ledger and no record")
	}
}

// checkCorruptEntry reports a corrupt ledger entry. It is not repaired: the ring will
// overwrite it, and until then it is evidence.
func (c *Checker) checkCorruptEntry(kv *mvccpb.KeyValue, err error) {
	key := string(kv.GetKey())
	gameID, slot, keyErr := c.keys.ParseLedger(key)
	if keyErr != nil {
		c.add(ports.FindingKeyForeign, key, "", nil, "the key does not name a ledger entry: %v", keyErr)
		return
	}
	c.add(ports.FindingLedgerUnreadable, key, gameID, nil, "%v", reasonOf(err))
	if g := c.games[gameID]; g != nil && !g.isCorrupt && g.record.LastWrite.Seq%layout.LedgerSlots == slot {
		g.hasEntry = true // reported already
	}
}

// checkIntent reports a corrupt intent. Nothing else contains what it did, so an operator has
// to repair it.
func (c *Checker) checkIntent(kv *mvccpb.KeyValue) {
	key := string(kv.GetKey())
	gameID, err := c.keys.GameOfIntent(key)
	if err != nil {
		c.add(ports.FindingKeyForeign, key, "", nil, "the key does not name a game: %v", err)
		return
	}
	intent, err := c.keys.DecodeIntent(kv)
	if err != nil {
		c.add(ports.FindingIntentUnreadable, key, gameID, nil, "%v", reasonOf(err))
		c.corruptIntents[gameID] = true
		return
	}
	for _, id := range intent.ToIntent().OperationIDs() {
		c.operationIDs[maphash.String(c.seed, c.keys.OperationIDKey(id, gameID))] = true
	}
	if op := intent.ActiveOperation(); op != nil {
		c.operations[c.keys.OperationIndexKey(op.Region, op.Node, gameID)] = &operationIndex{
			gameID: gameID, isUnchanged: clientv3.Compare(clientv3.ModRevision(key), "=", kv.GetModRevision()),
		}
	}
}

// checkOperationIndex reports a key of the index of operations that no intent implies. What a
// corrupt intent implies is unknown.
func (c *Checker) checkOperationIndex(kv *mvccpb.KeyValue) {
	key := string(kv.GetKey())
	gameID, err := c.keys.GameOfOperationIndex(key)
	switch index := c.operations[key]; {
	case index != nil:
		index.exists = true
	case err == nil && c.corruptIntents[gameID]:
	default:
		c.add(ports.FindingIndexExtra, key, gameID, c.deleteIndex(kv, nil), "the index names an operation that is not in progress there")
	}
}

// checkOperationID checks a key of the index of operation ids. A daemon of an earlier version writes none, and leaves
// those of operations that it drops, as in a rolling upgrade. So a missing key is correct, and one that no intent
// implies does no harm, because a lookup reads the intent: such a key is obsolete, and only a repair reports it.
func (c *Checker) checkOperationID(kv *mvccpb.KeyValue) {
	key := string(kv.GetKey())
	gameID, err := c.keys.GameOfOperationID(key)
	switch {
	case err != nil:
		c.add(ports.FindingIndexExtra, key, "", c.deleteIndex(kv, nil), "the key does not name an operation of a game")
	case !c.corruptIntents[gameID] && !c.operationIDs[maphash.String(c.seed, key)]:
		c.obsolete = append(c.obsolete, newFinding(ports.FindingIndexExtra, key, gameID, c.deleteIndex(kv, nil), "the index names an operation that the game does not have"))
	}
}

// checkDeletionEpoch reports a key that is not a deletion epoch. Every value, and a missing
// key, is correct: only the revision of the key matters.
func (c *Checker) checkDeletionEpoch(kv *mvccpb.KeyValue) {
	if key := string(kv.GetKey()); !c.keys.IsDeletionEpoch(key) {
		c.add(ports.FindingKeyForeign, key, "", nil, "the key does not name a deletion epoch")
	}
}

// checkMissingOperations reports the keys that the index of operations should have and has
// not.
func (c *Checker) checkMissingOperations() {
	for _, key := range slices.Sorted(maps.Keys(c.operations)) {
		if index := c.operations[key]; !index.exists {
			c.add(ports.FindingIndexMissing, key, index.gameID, &repairTxn{
				description: "write the index key", preconditions: []clientv3.Cmp{index.isUnchanged}, ops: []clientv3.Op{clientv3.OpPut(key, "")},
			}, "the game has an operation in progress and no index key for it")
		}
	}
}

// checkMissingKeys reports the keys that a record should have and has not.
func (c *Checker) checkMissingKeys(gameID string) {
	g := c.games[gameID]
	if g.isCorrupt {
		return
	}
	rec := g.record
	if !g.hasIndex {
		c.add(ports.FindingIndexMissing, c.keys.StatusIndexKey(rec.Status, gameID), gameID, c.putIndex(0, rec),
			"%s", layout.StatusIndexFault(rec, rec.Status, nil))
	}
	if !g.hasEntry {
		c.add(ports.FindingLedgerMissing, c.keys.LedgerEntry(gameID, rec.LastWrite.Seq), gameID, c.putEntry(g.slotRevision, rec),
			"the record was written by operation %q and the ledger has no entry %d", rec.LastWrite.OperationID, rec.LastWrite.Seq)
	}
}

// reasonOf returns a decoding error without the key, which the finding names itself.
func reasonOf(err error) string {
	if corrupt, ok := errors.AsType[*runtime.CorruptError](err); ok {
		return corrupt.Reason
	}
	return err.Error()
}
