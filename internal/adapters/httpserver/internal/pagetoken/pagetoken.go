// Package pagetoken creates and checks the opaque tokens with which a client continues a
// list.
package pagetoken

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"

	"galaxy/rtmanager/internal/ports"
)

// payload is the position in a list, and the query that the list belongs to.
type payload struct {
	Revision int64  `json:"r"`
	After    string `json:"a"`
	Status   string `json:"s,omitempty"`
	Region   string `json:"g,omitempty"`
	Node     string `json:"n,omitempty"`
}

// Errors of tokens.
var (
	errForeign       = errors.New("is not a token of this store")
	errVersion       = errors.New("is not a token of this version")
	errOtherFilters  = errors.New("belongs to a list with other filters")
	errOtherRevision = errors.New("belongs to a list at another revision")
)

// New returns the token of the position after a page of the query. The signature detects
// tokens that are edited or used with another store. Its key is no secret: a token gives
// access only to the query that it was made for.
func New(storeID string, query ports.PageQuery, page ports.Page) string {
	text, err := json.Marshal(payload{
		Revision: page.Revision, After: encode([]byte(page.Next)),
		Status: string(query.Status), Region: query.Region, Node: query.Node,
	})
	if err != nil {
		panic(err) // a struct of five plain fields can always be encoded
	}
	return encode(text) + "." + encode(sign(storeID, text))
}

// Apply sets Revision and After of the query to the token's position. It fails for a token
// of another store or of a query with other filters. The limit may differ from page to
// page.
func Apply(storeID, token string, query *ports.PageQuery) error {
	head, tail, _ := strings.Cut(token, ".")
	text, errHead := decode(head)
	signature, errTail := decode(tail)
	if errHead != nil || errTail != nil || !hmac.Equal(signature, sign(storeID, text)) {
		return errForeign
	}
	var p payload
	if err := json.Unmarshal(text, &p); err != nil {
		return errVersion
	}
	after, err := decode(p.After)
	switch {
	case err != nil:
		return errVersion
	case p.Status != string(query.Status) || p.Region != query.Region || p.Node != query.Node:
		return errOtherFilters
	case query.Revision != 0 && query.Revision != p.Revision:
		return errOtherRevision
	}
	query.Revision, query.After = p.Revision, string(after)
	return nil
}

func sign(storeID string, text []byte) []byte {
	mac := hmac.New(sha256.New, []byte("rtmanager continue "+storeID))
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
