package memstore

import (
	"context"

	"galaxy/rtmanager/internal/ports"
)

// schemaVersion is the version of the layout that this store is a model of.
const schemaVersion = 1

// Revision returns the revision of the last change; see ports.StoreInspector.
func (s *Store) Revision(ctx context.Context) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.revision, ctx.Err()
}

// Info returns the identity and the present revision; see ports.StoreInspector.
// There are no members and no alarms.
func (s *Store) Info(ctx context.Context) (ports.StoreInfo, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return ports.StoreInfo{}, err
	}
	return ports.StoreInfo{ID: s.id, Revision: s.revision, SchemaVersion: schemaVersion}, nil
}

// Check counts what there is; see ports.StoreInspector. It has no findings,
// because records are not stored apart from what they are indexed by and no
// value can be damaged.
func (s *Store) Check(ctx context.Context, _ bool) (ports.CheckReport, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return ports.CheckReport{}, err
	}
	report := ports.CheckReport{Revision: s.revision}
	for gameID, g := range s.games {
		if s.current(gameID) != nil {
			report.Records++
			report.IndexKeys++
			report.LedgerEntries += len(g.ledger)
		}
	}
	return report, nil
}
