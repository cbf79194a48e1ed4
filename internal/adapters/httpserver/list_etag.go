package httpserver

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"reflect"
	"strconv"

	"galaxy/rtmanager/internal/adapters/httpserver/internal/compress"
	"galaxy/rtmanager/internal/adapters/httpserver/internal/etag"
	"galaxy/rtmanager/internal/adapters/httpserver/internal/pagetoken"
	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/ports"
)

const listDescription = "The ETag changes when a record of the page, the state of a region or a corrupt value changes, but not with each write to the store: " +
	"the revision of the list, and the age of a local one, do not count, so it is a weak one. " +
	"The ETag of a page with continue is that of the whole list, so that 304 means that no page has changed. " +
	"Rtmanager-As-Of is the revision at which that is so. A page with continue for a caller that may not read every game has no ETag."

// listResponses returns the responses of a list of records.
func listResponses() []Response {
	asOf := ResponseHeader{Name: api.HeaderAsOf, Description: "The revision of the list", Type: reflect.TypeFor[int64](), IsOptional: true}
	responses := jsonResponse[api.Page]("One page")
	responses[0].Headers = []ResponseHeader{{Name: "ETag", Description: "Identifies the records of the page; weak", Type: reflect.TypeFor[string](), IsOptional: true}, asOf}
	return append(responses, Response{
		Status: http.StatusNotModified, Description: "The list still has the ETag of the request", Headers: []ResponseHeader{asOf},
	})
}

// listVersion is what determines the ETag of a page.
type listVersion struct {
	query ports.PageQuery
	// page is the page. Its Items and ItemRevisions do not matter.
	page api.Page
	// revision is one at which the store has the same records as at that of the page.
	revision int64
	versions etag.Versions // of the items
}

// newListVersion returns the version of a page with its items.
func newListVersion(query ports.PageQuery, page api.Page) listVersion {
	var versions etag.VersionHash
	for i := range page.Items {
		versions.Add(page.Items[i].GameID, page.ItemRevisions[i])
	}
	return listVersion{query, page, page.Revision, versions.Sum()}
}

// isListUnchanged adds the ETag of the page and its revision to the response. If If-None-Match names the
// ETag, it responds with 304 and returns true.
//
// The tag is weak: bodies with the same tag may differ in the revision of the list. It does not differ
// between the codings of a body either.
func (s *Server) isListUnchanged(w http.ResponseWriter, version listVersion, ifNoneMatch string) bool {
	w.Header().Set(api.HeaderAsOf, strconv.FormatInt(version.page.Revision, 10))
	if version.page.Continue != "" && version.query.Visible != nil {
		return false // the games of the next pages may change with the rights of the caller
	}
	tag := s.listTag(version)
	w.Header().Set("ETag", "W/"+strconv.Quote(tag))
	if ifNoneMatch == "" || !etag.MatchesText(compress.PlainETags(ifNoneMatch), tag) {
		return false
	}
	w.WriteHeader(http.StatusNotModified)
	return true
}

// listTag returns the text of the ETag. A revision of a store never has two contents, also after a restore
// of a backup. Another version of the daemon may encode a record in another way.
func (s *Server) listTag(version listVersion) string {
	around := version.page
	around.Revision, around.Continue, around.Items, around.ItemRevisions = 0, "", nil, nil
	around.Regions = make([]api.Region, len(version.page.Regions))
	for i, region := range version.page.Regions {
		region.Revision, region.AgeMS = 0, nil
		around.Regions[i] = region
	}
	text := fmt.Appendf(nil, "%q %q %x ", s.store.ID(), s.cfg.Version, version.versions)
	if version.page.Continue != "" { // the next pages count, and the client has the token of the page that it keeps
		query := &version.query
		text = fmt.Appendf(text, "%d %d %q %q %q ", version.revision, query.Limit, query.After, query.Order, pagetoken.FilterKey(&query.RecordFilter))
	}
	sum := sha256.Sum256(append(text, api.Encode(around)...))
	return hex.EncodeToString(sum[:16])
}
