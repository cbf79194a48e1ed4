package httpserver

import (
	"cmp"
	"errors"
	"net/http"

	"galaxy/rtmanager/internal/adapters/httpserver/internal/callers"
	"galaxy/rtmanager/internal/domain/access"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// recordChange is a change to a part of a record that no container depends on.
type recordChange struct {
	gameID string
	verb   string // of the log
	// reason is that of the entry of the ledger if the caller gives none.
	reason string
	origin ports.Origin
	// change changes the record, which shares no memory with the stored one.
	change func(record *runtime.RuntimeRecord) error
}

// changeRecord writes the record with the change, unless it is unchanged, and responds with it. It
// writes only if the record has the revision that it has read, and starts over if another writer was
// faster.
func (s *Server) changeRecord(w http.ResponseWriter, r *http.Request, c recordChange) error {
	c.origin.Reason = cmp.Or(c.origin.Reason, c.reason)
	for {
		found, err := s.store.GetVersioned(r.Context(), c.gameID)
		if err != nil {
			return err
		}
		record := found.Record.Clone()
		if err := c.change(&record); err != nil {
			return err
		}
		// The caller needs the rights for the labels before and after the change: none can take a game
		// into its own scope, or out of that of others.
		for _, labels := range []map[string]string{found.Record.Labels, record.Labels} {
			if err := callers.Of(r.Context()).ForLabels(labels).CheckPlacement(access.PermissionOperate, found.Record.Region, c.gameID); err != nil {
				return err
			}
		}
		if record.Equal(found.Record) {
			return writeRecord(w, found)
		}
		after, err := s.store.Put(r.Context(), ports.PutInput{Record: record, IfRevision: &found.Revision, Origin: c.origin, At: s.cfg.Clock(), Guard: ports.GuardNoOperation})
		if errors.Is(err, runtime.ErrConflict) {
			continue
		}
		s.logWrite(writeLog{verb: c.verb, gameID: c.gameID, to: record.Status, origin: c.origin, revision: after.Revision}, err)
		if err != nil {
			return err
		}
		return writeRecord(w, after)
	}
}
