package listcache

import (
	"bytes"
	"errors"
	"io"
	"sync"
)

// Body is the body of a response, in parts that several responses may share.
type Body struct {
	parts  [][]byte
	length int
}

// Len returns the size of the body.
func (b *Body) Len() int { return b.length }

func (b *Body) add(parts ...[]byte) {
	for _, part := range parts {
		b.parts = append(b.parts, part)
		b.length += len(part)
	}
}

// emptyItems is where an envelope has no items and no revisions of them.
var emptyItems = []byte(`[],"item_revisions":[]`)

var errNoItems = errors.New("listcache: the envelope has no place for the items")

// envelope is the JSON of a page around its items and their revisions.
type envelope struct{ head, between, tail []byte }

// parseEnvelope parses the JSON of an api.Page without items.
func parseEnvelope(document []byte) (envelope, error) {
	head, tail, isFound := bytes.Cut(document, emptyItems)
	if !isFound {
		return envelope{}, errNoItems
	}
	return envelope{
		head:    append(bytes.Clone(head), '['),
		between: []byte(`],"item_revisions":[`),
		tail:    append([]byte{']'}, tail...),
	}, nil
}

// Body returns the JSON of the page. The document is that of an api.Page without items. The page is the
// same for many documents, which differ in the revision of the list.
func (p *Page) Body(document []byte) (*Body, error) {
	around, err := parseEnvelope(document)
	if err != nil {
		return nil, err
	}
	body := &Body{parts: make([][]byte, 0, len(p.items)+4)}
	body.add(around.head)
	body.add(p.items...)
	body.add(around.between, p.revisions, around.tail)
	return body, nil
}

// CompressedBody is Body, compressed by gzip.
func (p *Page) CompressedBody(document []byte) (*Body, error) {
	around, err := parseEnvelope(document)
	if err != nil {
		return nil, err
	}
	compressed := p.compress()
	body, sum := &Body{}, checksum{}
	add := func(part deflated) {
		body.add(part.data)
		sum = sum.then(part.sum)
	}
	body.add(gzipHeader)
	add(store(around.head, false))
	for i, part := range compressed.items {
		if i > 0 {
			add(comma)
		}
		add(part)
	}
	add(store(around.between, false))
	add(compressed.revisions)
	add(store(around.tail, true))
	body.add(gzipTrailer(sum))
	return body, nil
}

// Small parts are copied into one write: each write to a connection costs a system call.
const (
	bufferSize   = 64 << 10
	minWholePart = 16 << 10
)

var buffers = sync.Pool{New: func() any { return new([bufferSize]byte) }}

// WriteTo implements io.WriterTo.
func (b *Body) WriteTo(w io.Writer) (total int64, err error) {
	memory, _ := buffers.Get().(*[bufferSize]byte)
	defer buffers.Put(memory)
	buffer := memory[:0]
	write := func(data []byte) {
		if err == nil && len(data) > 0 {
			var n int
			n, err = w.Write(data)
			total += int64(n)
		}
	}
	for _, part := range b.parts {
		if len(buffer)+len(part) > bufferSize || len(part) >= minWholePart {
			write(buffer)
			buffer = buffer[:0]
		}
		if len(part) >= minWholePart {
			write(part)
		} else {
			buffer = append(buffer, part...)
		}
	}
	write(buffer)
	return total, err
}
