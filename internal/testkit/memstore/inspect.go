package memstore

import (
	"context"

	"galaxy/rtmanager/internal/ports"
)

// schemaVersion is the version of the key layout that this store models.
const schemaVersion = 1

// ID implements ports.StoreIdentity.
func (s *Store) ID() string { return s.id }

// Revision implements ports.StoreInspector.
func (s *Store) Revision(ctx context.Context) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.revision, ctx.Err()
}

// Info implements ports.StoreInspector. There are no members and no alarms.
func (s *Store) Info(ctx context.Context) (ports.StoreInfo, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return ports.StoreInfo{}, err
	}
	return ports.StoreInfo{ID: s.id, Revision: s.revision, SchemaVersion: schemaVersion}, nil
}

// Check implements ports.StoreInspector. It counts what a store on etcd would have and
// returns no findings: there is no separate index, and no value can become corrupt.
func (s *Store) Check(ctx context.Context, _ bool) (ports.CheckReport, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return ports.CheckReport{}, err
	}
	report := ports.CheckReport{Revision: s.revision}
	for gameID, g := range s.games {
		if s.currentVersion(gameID) != nil {
			report.Records++
			report.IndexKeys++
			report.LedgerEntries += len(g.ledger)
		}
	}
	return report, nil
}
