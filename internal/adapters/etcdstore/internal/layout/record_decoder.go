package layout

import (
	"strings"
	"time"
	"unique"

	"go.etcd.io/etcd/api/v3/mvccpb"

	"galaxy/rtmanager/internal/domain/runtime"
)

const (
	// maxSharedWords bounds the strings that the records of a decoder share.
	maxSharedWords = 4096
	// maxSharedBytes bounds each of them: a long one is hardly the same in many records.
	maxSharedBytes = 256
	// textBytes and timesPerSlab are the sizes of the slabs of a decoder of many records. A slab
	// lives as long as any record that has a part of it.
	textBytes, timesPerSlab = 16 << 10, 170
)

// RecordDecoder decodes records that are kept. They share the strings that many of them have in
// common, such as the name of a node.
//
// A RecordDecoder is not safe for concurrent use.
type RecordDecoder struct {
	keys  Keys
	words map[string]string // nil if nothing is shared

	// The strings and times of a record are parts of slabs, unless they have memory of their own.
	usesSlabs bool
	text      *strings.Builder
	times     []time.Time
}

// NewRecordDecoder returns a decoder of records that are replaced one by one, so each has memory of
// its own.
func NewRecordDecoder(keys Keys) *RecordDecoder {
	return &RecordDecoder{keys: keys, words: map[string]string{}}
}

// NewBulkDecoder returns a decoder of many records that are kept together: fewer objects make
// garbage collection faster, and parts of slabs need less memory.
func NewBulkDecoder(keys Keys) *RecordDecoder {
	return &RecordDecoder{keys: keys, words: map[string]string{}, usesSlabs: true, text: new(strings.Builder)}
}

// Decode decodes a record's key and value into rec, and returns the key's segment. The error is
// that of DecodeRecord; rec is not valid then. The record has no memory of kv.
func (d *RecordDecoder) Decode(kv *mvccpb.KeyValue, rec *Record) (segment string, err error) {
	key, prefix := kv.GetKey(), d.keys.Records()
	bytes := key[len(prefix):]
	gameID := d.copyText(bytes)
	*rec = Record{CreateRevision: kv.GetCreateRevision(), ModRevision: kv.GetModRevision()}
	if isPlainGameID(bytes) && d.decodeCanonical(kv.GetValue(), gameID, &rec.StoredRecord) {
		return gameID, nil
	}
	if err := d.keys.decodeStrict(kv, rec); err != nil {
		return gameID, err
	}
	d.ShareWords(&rec.StoredRecord)
	if rec.GameID == gameID {
		rec.GameID = gameID // the same memory
	}
	return gameID, nil
}

// ShareWords replaces the strings that many records have in common by the shared ones.
func (d *RecordDecoder) ShareWords(rec *StoredRecord) {
	if d.words == nil {
		return
	}
	for _, word := range []*string{
		&rec.Region, &rec.Node, &rec.CurrentImageRef, &rec.ImageDigest, &rec.DockerNetwork,
		(*string)(&rec.Status), (*string)(&rec.LastWrite.Kind), (*string)(&rec.DesiredStatus), (*string)(&rec.Health),
	} {
		*word = d.shared([]byte(*word))
	}
	for i := range rec.Ports {
		port := &rec.Ports[i]
		port.Name, port.Host, port.Protocol = d.shared([]byte(port.Name)), d.shared([]byte(port.Host)), runtime.Protocol(d.shared([]byte(port.Protocol)))
	}
	if len(rec.Labels) == 0 {
		return
	}
	labels := make(map[string]string, len(rec.Labels))
	for key, value := range rec.Labels {
		labels[d.shared([]byte(key))] = d.shared([]byte(value))
	}
	rec.Labels = labels
}

// shared returns the text as a string that records share, also those of other decoders.
func (d *RecordDecoder) shared(text []byte) string {
	if word, isKnown := d.words[string(text)]; isKnown || len(text) == 0 {
		return word
	}
	if d.words == nil || len(text) > maxSharedBytes {
		return d.copyText(text)
	}
	if len(d.words) >= maxSharedWords {
		clear(d.words)
	}
	word := unique.Make(string(text)).Value()
	d.words[word] = word
	return word
}

// copyText returns the text as a string that only one record has.
func (d *RecordDecoder) copyText(text []byte) string {
	if !d.usesSlabs {
		return string(text)
	}
	if d.text.Cap()-d.text.Len() < len(text) {
		d.text = new(strings.Builder)
		d.text.Grow(max(textBytes, len(text)))
	}
	from := d.text.Len()
	d.text.Write(text)
	return d.text.String()[from:]
}

// ownTime returns a pointer to the time that only one record has.
func (d *RecordDecoder) ownTime(at time.Time) *time.Time {
	if !d.usesSlabs {
		kept := at // only this copy is on the heap
		return &kept
	}
	if len(d.times) == 0 {
		d.times = make([]time.Time, timesPerSlab)
	}
	kept := &d.times[0]
	d.times = d.times[1:]
	*kept = at
	return kept
}

// isPlainGameID reports whether the segment of a key is a valid game id that needs no escape. It
// need not recognize all of them.
func isPlainGameID(segment []byte) bool {
	for _, c := range segment {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_':
		default:
			return false
		}
	}
	return 0 < len(segment) && len(segment) <= runtime.MaxGameIDBytes
}
