// Package pagetoken creates and checks the opaque tokens with which a client continues a
// list.
package pagetoken

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"galaxy/rtmanager/internal/ports"
)

// payload is the position in a list, and the query that the list belongs to.
type payload struct {
	Revision int64  `json:"r"`
	After    string `json:"a"`
	Filter   string `json:"f,omitempty"` // FilterKey of the query
	Order    string `json:"s,omitempty"` // of the query
}

// Errors of tokens.
var (
	errForeign       = errors.New("is not a token of this store")
	errVersion       = errors.New("is not a token of this version")
	errOtherFilters  = errors.New("belongs to a list with other filters")
	errOtherOrder    = errors.New("belongs to a list with another sort")
	errOtherRevision = errors.New("belongs to a list at another revision")
)

// New returns the token of the position after a page of the query. The signature detects
// tokens that are edited or used with another store. Its key is no secret: a token gives
// access only to the query that it was made for.
func New(storeID string, query ports.PageQuery, page ports.Page) string {
	return Sign(storeID, payload{
		Revision: page.Revision, After: encode([]byte(page.Next)),
		Filter: FilterKey(&query.RecordFilter), Order: query.Order.String(),
	})
}

// Sign returns the token of a position, a struct of plain fields. scope is what the token can be used
// with, such as the identity of a store.
func Sign(scope string, position any) string {
	text, err := json.Marshal(position)
	if err != nil {
		panic(err) // plain fields can always be encoded
	}
	return encode(text) + "." + encode(sign(scope, text))
}

// Verify decodes a token of Sign into position. It fails for a token of another scope.
func Verify(scope, token string, position any) error {
	head, tail, _ := strings.Cut(token, ".")
	text, errHead := decode(head)
	signature, errTail := decode(tail)
	if errHead != nil || errTail != nil || !hmac.Equal(signature, sign(scope, text)) {
		return errForeign
	}
	if json.Unmarshal(text, position) != nil {
		return errVersion
	}
	return nil
}

// Apply sets Revision and After of the query to the token's position. It fails for a token
// of another store or of a query with other filters or another order. The limit may differ from page to
// page.
func Apply(storeID, token string, query *ports.PageQuery) error {
	var p payload
	if err := Verify(storeID, token, &p); err != nil {
		return err
	}
	after, err := decode(p.After)
	switch {
	case err != nil:
		return errVersion
	case p.Filter != FilterKey(&query.RecordFilter):
		return errOtherFilters
	case p.Order != query.Order.String():
		return errOtherOrder
	case query.Revision != 0 && query.Revision != p.Revision:
		return errOtherRevision
	}
	query.Revision, query.After = p.Revision, string(after)
	return nil
}

// FilterKey returns a short text that is equal for filters that select the same records of every
// store, and empty for a filter of every record.
func FilterKey(filter *ports.RecordFilter) string {
	of := *filter
	of.Visible = nil
	if !of.IsSelective() {
		return ""
	}
	text := fmt.Appendf(nil, "%q %q %q %q %q %q", sorted(of.Statuses), sorted(of.Regions), sorted(of.Nodes), sorted(of.Images), of.GamePrefix, of.Labels.String())
	if len(of.Healths) > 0 || of.Ready != nil { // tokens without them are those of earlier versions
		text = fmt.Appendf(text, " %q", sorted(of.Healths))
	}
	if of.Ready != nil {
		text = fmt.Appendf(text, " %t", *of.Ready)
	}
	sum := sha256.Sum256(text)
	return encode(sum[:16])
}

func sorted[T cmp.Ordered](values []T) []T {
	return slices.Compact(slices.Sorted(slices.Values(values)))
}

func sign(scope string, text []byte) []byte {
	mac := hmac.New(sha256.New, []byte("rtmanager continue "+scope))
	mac.Write(text)
	return mac.Sum(nil)[:16]
}

func encode(data []byte) string { return base64.RawURLEncoding.EncodeToString(data) }

// decode is the exact inverse of encode: it rejects line ends, which the standard library
// ignores.
func decode(text string) ([]byte, error) {
	if strings.ContainsAny(text, "\r\n") {
		return nil, errForeign
	}
	return base64.RawURLEncoding.Strict().DecodeString(text)
}
