package httpserver

import (
	"net/http"
	"strconv"

	"galaxy/rtmanager/internal/adapters/httpserver/internal/compress"
	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/ports"
)

// listShared responds with a page whose items are encoded once for all callers. It returns false, and
// has written nothing, if the store does not have the records of the query in memory.
func (s *Server) listShared(w http.ResponseWriter, r *http.Request, query ports.PageQuery, ifNoneMatch string) (isServed bool, err error) {
	snapshots, ok := s.store.(ports.SnapshotReader)
	if !ok {
		return false, nil
	}
	snapshot, err := snapshots.ReadSnapshot(r.Context(), query)
	if snapshot == nil || err != nil {
		return false, err
	}
	page, err := s.lists.Page(snapshot, query)
	if err != nil {
		return false, err
	}
	around := s.pageBody(r.Context(), query, ports.Page{Revision: snapshot.Revision(), Next: page.Next, Corrupt: page.Corrupt})
	if s.isListUnchanged(w, listVersion{query, around, page.Revision, page.Versions}, ifNoneMatch) {
		return true, nil
	}
	if page.Next != "" { // not with a 304: the client continues no list
		snapshot.Retain()
	}
	document := api.Encode(around)
	body, err := page.Body(document)
	if err != nil {
		return false, err
	}
	if body.Len() >= compress.MinBytes && compress.IsAccepted(r) {
		if body, err = page.CompressedBody(document); err != nil {
			return false, err
		}
		w.Header().Set("Content-Encoding", "gzip")
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(body.Len()))
	w.WriteHeader(http.StatusOK)
	_, _ = body.WriteTo(w) // it fails only if the client has disconnected
	return true, nil
}
