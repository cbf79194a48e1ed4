package recordcache

import (
	"slices"
	"sync"

	"galaxy/rtmanager/internal/adapters/etcdstore/internal/layout"
)

// maxOperationHistories bounds the games whose recent operation ids are kept, about 2 KB each.
const maxOperationHistories = 4096

// operationHistories holds the operation ids of the most recent writes of games, as far as
// watch and writes have shown them without a gap. A complete history has every id that the
// game's ledger has, so that a write needs no read of the ledger to detect a retry.
//
// It is safe for concurrent use.
type operationHistories struct {
	mu    sync.Mutex
	games map[string]*operationHistory // by key segment
	// resets is the argument of the last reset. A record of a request from before it may be of another
	// history of etcd.
	resets int64
}

// operationHistory is the writes of one record up to its newest one.
type operationHistory struct {
	modRevision, seq int64    // of the newest write
	ids              []string // oldest first, without a gap, at most layout.LedgerSlots
	// isComplete means that the ledger has no entry that is older than the ids.
	isComplete bool
}

// reset drops every history. It accepts only records of requests since the given number of resets.
func (o *operationHistories) reset(resets int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.resets = resets
	o.games = map[string]*operationHistory{}
}

// add adds the newest write of a record. since is the number of resets before the request that
// returned it.
func (o *operationHistories) add(rec *layout.Record, since int64) {
	segment := layout.EscapeGameID(rec.GameID)
	o.mu.Lock()
	defer o.mu.Unlock()
	history := o.games[segment]
	switch {
	case since != o.resets: // it may be of another history of etcd
	case history == nil:
		if len(o.games) >= maxOperationHistories {
			o.evictOne()
		}
		o.games[segment] = newOperationHistory(rec)
	case rec.ModRevision <= history.modRevision: // known
	case history.endsWith(rec):
		history.modRevision = rec.ModRevision // only the condition was written
	case rec.CreateRevision > history.modRevision || rec.LastWrite.Seq != history.seq+1:
		*history = *newOperationHistory(rec) // another life of the game, or writes are missing
	default:
		history.append(rec)
	}
}

// complete stores the operation ids of the whole ledger as of the record's last write, the oldest
// first, unless a later write is known. The last id must be that of the record's last write. since is
// that of add.
func (o *operationHistories) complete(rec *layout.Record, ids []string, since int64) {
	if len(ids) == 0 || ids[len(ids)-1] != rec.LastWrite.OperationID {
		return
	}
	segment := layout.EscapeGameID(rec.GameID)
	o.mu.Lock()
	defer o.mu.Unlock()
	history := o.games[segment]
	switch {
	case since != o.resets:
		return // the ledger may be of another history of etcd
	case o.games == nil, history != nil && history.modRevision > rec.ModRevision:
		return // the cache has not been filled yet, or a later write is known
	case history == nil && len(o.games) >= maxOperationHistories:
		o.evictOne()
	}
	o.games[segment] = &operationHistory{modRevision: rec.ModRevision, seq: rec.LastWrite.Seq, ids: slices.Clone(ids), isComplete: true}
}

// AddLedger stores the operation ids of all ledger entries of a record that etcd has returned, the
// oldest first. since is that of AddWrite.
func (c *Cache) AddLedger(rec *layout.Record, ids []string, since int64) {
	c.operations.complete(rec, ids, since)
}

// ExcludesOperation reports whether the ledger, as of the record's last write, has no write
// with the operation id. False means that this is not known here.
func (c *Cache) ExcludesOperation(rec *layout.Record, operationID string) bool {
	return c.operations.excludes(rec, operationID)
}

// newOperationHistory returns the history of a record whose previous writes are unknown. The
// first write of a game has number 1 only if it found no ledger entry.
func newOperationHistory(rec *layout.Record) *operationHistory {
	return &operationHistory{
		modRevision: rec.ModRevision, seq: rec.LastWrite.Seq, ids: []string{rec.LastWrite.OperationID},
		isComplete: rec.LastWrite.Seq == 1 && (rec.CreateRevision == rec.ModRevision || rec.LastWrite.HasNewerCondition),
	}
}

// endsWith reports whether the newest write is the last one of the record that has a ledger
// entry.
func (h *operationHistory) endsWith(rec *layout.Record) bool {
	return rec.CreateRevision <= h.modRevision && rec.LastWrite.Seq == h.seq && rec.LastWrite.OperationID == h.ids[len(h.ids)-1]
}

func (h *operationHistory) append(rec *layout.Record) {
	h.modRevision, h.seq = rec.ModRevision, rec.LastWrite.Seq
	h.ids = append(h.ids, rec.LastWrite.OperationID)
	if len(h.ids) >= layout.LedgerSlots {
		h.ids = slices.Delete(h.ids, 0, len(h.ids)-layout.LedgerSlots)
		h.isComplete = true // the ring has overwritten everything that is older
	}
}

// evictOne drops any history; mu must be held.
func (o *operationHistories) evictOne() {
	for segment := range o.games {
		delete(o.games, segment)
		return
	}
}

func (o *operationHistories) remove(segment string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.games, segment)
}

// excludes reports whether no write up to the record's has the operation id, as long as the
// ledger keeps them. False means that the ledger must be read. The record's own operation id
// must be the newest: another history of the store may have had the same revision.
func (o *operationHistories) excludes(rec *layout.Record, operationID string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	history := o.games[layout.EscapeGameID(rec.GameID)]
	return history != nil && history.isComplete && history.modRevision == rec.ModRevision &&
		history.ids[len(history.ids)-1] == rec.LastWrite.OperationID && !slices.Contains(history.ids, operationID)
}
