package httpserver

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"

	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/ports"
)

// token is what a continue parameter holds: where the list stands, and the
// query that it belongs to.
type token struct {
	Revision int64  `json:"r"`
	After    string `json:"a"`
	Status   string `json:"s,omitempty"`
	Region   string `json:"g,omitempty"`
	Node     string `json:"n,omitempty"`
}

// sealToken returns the opaque form. The seal keeps tokens from being mended by
// hand or taken to another store; it is no secret, since a token gives nobody
// more than the query it came from.
func sealToken(storeID string, query ports.PageQuery, revision int64, after string) string {
	payload, err := json.Marshal(token{
		Revision: revision, After: encode([]byte(after)),
		Status: string(query.Status), Region: query.Region, Node: query.Node,
	})
	if err != nil {
		panic(err) // five plain fields always marshal
	}
	return encode(payload) + "." + encode(seal(storeID, payload))
}

// openToken returns the position that the text holds, if this store made it
// for this query; a limit may change between pages, filters may not.
func openToken(storeID, text string, query ports.PageQuery) (token, *api.Problem) {
	refused := func(why string) (token, *api.Problem) {
		return token{}, badRequest("query.continue", "%s; start the list again without it", why)
	}
	head, tail, ok := strings.Cut(text, ".")
	payload, errHead := decode(head)
	mark, errTail := decode(tail)
	if !ok || errHead != nil || errTail != nil || !hmac.Equal(mark, seal(storeID, payload)) {
		return refused("is not a token that this store gave")
	}
	var t token
	if err := json.Unmarshal(payload, &t); err != nil {
		return refused("is not a token that this version reads")
	}
	after, err := decode(t.After)
	if err != nil {
		return refused("is not a token that this version reads")
	}
	if t.Status != string(query.Status) || t.Region != query.Region || t.Node != query.Node {
		return refused("belongs to a list with other filters")
	}
	if query.Revision != 0 && query.Revision != t.Revision {
		return refused("belongs to a list at another revision")
	}
	t.After = string(after)
	return t, nil
}

func seal(storeID string, payload []byte) []byte {
	mac := hmac.New(sha256.New, []byte("rtmanager continue "+storeID))
	mac.Write(payload)
	return mac.Sum(nil)[:16]
}

func encode(data []byte) string { return base64.RawURLEncoding.EncodeToString(data) }

// decode is the inverse of encode alone: line ends, which the package passes
// over, are no part of a token either.
func decode(text string) ([]byte, error) {
	if strings.ContainsAny(text, "\r\n") {
		return nil, errors.New("token holds a line end")
	}
	return base64.RawURLEncoding.Strict().DecodeString(text)
}
