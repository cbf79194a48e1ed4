package listcache

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"sync"

	"github.com/klauspost/compress/flate"
)

// deflated is a part of a gzip stream that was compressed alone: whole blocks of RFC 1951 that end at a
// byte. None is marked as the last one.
type deflated struct {
	data []byte
	sum  checksum // of the text
}

// writers keeps compressors, which have more than 100 KB each.
var writers = sync.Pool{New: func() any {
	w, err := flate.NewWriter(nil, flate.BestSpeed)
	if err != nil {
		panic(err) // the level is constant
	}
	return w
}}

// deflate compresses a text that is given in parts.
func deflate(parts ...[]byte) deflated {
	var data bytes.Buffer
	w, _ := writers.Get().(*flate.Writer)
	defer writers.Put(w)
	w.Reset(&data)
	for _, part := range parts {
		_, _ = w.Write(part) // into memory
	}
	_ = w.Flush() // ends at a byte, with an empty block
	return deflated{data: bytes.Clone(data.Bytes()), sum: checksumOf(parts...)}
}

// maxStored is the size of the largest block that is stored without compression.
const maxStored = 1<<16 - 1

// store returns a text as blocks without compression. The last one is marked as the end of the stream
// if isLast is set.
func store(text []byte, isLast bool) deflated {
	stored := deflated{sum: checksumOf(text)}
	for {
		block := text[:min(len(text), maxStored)]
		text = text[len(block):]
		mark := byte(0)
		if isLast && len(text) == 0 {
			mark = 1
		}
		length := uint16(len(block)) //nolint:gosec // at most maxStored
		stored.data = append(stored.data, mark)
		stored.data = binary.LittleEndian.AppendUint16(stored.data, length)
		stored.data = binary.LittleEndian.AppendUint16(stored.data, ^length)
		stored.data = append(stored.data, block...)
		if len(text) == 0 {
			return stored
		}
	}
}

// gzipHeader is the header of RFC 1952 without a name and a time, of an unknown operating system.
var gzipHeader = []byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 0xff}

// comma is the text between two items.
var comma = store([]byte(","), false)

// gzipTrailer returns the end of a gzip stream with the text.
func gzipTrailer(sum checksum) []byte {
	trailer := binary.LittleEndian.AppendUint32(nil, sum.crc)
	return binary.LittleEndian.AppendUint32(trailer, uint32(sum.length)) //nolint:gosec // the format has the length modulo 2³²
}

// then returns the checksum of a text that is followed by another one. CRC-32 is linear: the checksum
// of the first text is multiplied by x^(8·length) modulo the polynomial, as crc32_combine of zlib does.
func (s checksum) then(next checksum) checksum {
	crc, power := s.crc, uint32(xToThe8)
	for n := next.length; n != 0; n >>= 1 {
		if n&1 != 0 {
			crc = multiply(power, crc)
		}
		power = multiply(power, power)
	}
	return checksum{crc ^ next.crc, s.length + next.length}
}

// xToThe8 is x^8 as a polynomial over GF(2), with reversed bits: the highest bit is x^0.
const xToThe8 = 1 << (31 - 8)

// multiply returns the product of two polynomials modulo the polynomial of CRC-32.
func multiply(a, b uint32) uint32 {
	product := uint32(0)
	for bit := uint32(1 << 31); bit != 0; bit >>= 1 {
		if a&bit != 0 {
			product ^= b
		}
		if b&1 != 0 {
			b = b>>1 ^ crc32.IEEE
		} else {
			b >>= 1
		}
	}
	return product
}
