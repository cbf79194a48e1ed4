package httpserver

import (
	"net/http"
	"slices"
	"strconv"

	"galaxy/rtmanager/internal/adapters/httpserver/internal/callers"
	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/node"
)

// regionsAt returns the regions that the caller may see, for records at the revision. only are
// the regions of the request; none means all. It makes no request.
func (s *Server) regionsAt(c callers.Caller, only []string, revision int64, isLocal bool) []node.RegionState {
	if s.cfg.Regions == nil {
		return nil
	}
	age := new(int64)
	if isLocal {
		age = s.localAge()
	}
	var states []node.RegionState
	for _, state := range s.cfg.Regions() {
		if (len(only) == 0 || slices.Contains(only, state.Region)) && c.CanReadRegion(state.Region) {
			state.Revision, state.AgeMS = revision, age
			states = append(states, state)
		}
	}
	return states
}

// localAge returns how many milliseconds ago etcd last confirmed that the copy of the records is
// current, nil if that is not known.
func (s *Server) localAge() *int64 {
	if s.cfg.StoreProvenAt == nil {
		return nil
	}
	provenAt := s.cfg.StoreProvenAt()
	if provenAt.IsZero() {
		return nil
	}
	age := max(0, s.cfg.Clock().Sub(provenAt).Milliseconds())
	return &age
}

// setLocalAge adds the age of a local read to the header.
func (s *Server) setLocalAge(header http.Header) {
	if age := s.localAge(); age != nil {
		header.Set(api.HeaderAge, strconv.FormatInt(*age, 10))
	}
}
