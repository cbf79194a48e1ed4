package network

import "encoding/binary"

// A frame of HTTP/2 has a header of 9 bytes: 3 of the length, 1 of the type, 1 of flags, 4 of
// the stream. See RFC 9113, section 4.1.
const (
	frameHeader  = 9
	typeHeaders  = 1
	typeSettings = 4
	flagEnd      = 1 // the stream ends
)

// responseFinder finds the first bytes of responses in what a server sends. A server of HTTP/2
// also sends settings, pings and window updates, also before it has a request, and data of
// streams that are open: these begin no response.
type responseFinder struct {
	isStarted, isHTTP2 bool
	header             []byte // an incomplete header of a frame
	remaining          int    // bytes of the current frame
}

// find reports whether the next bytes of the stream contain the first bytes of a response.
// hasRequest reports that the server has received bytes since it sent the last ones.
func (f *responseFinder) find(data []byte, hasRequest bool) bool {
	if !f.isStarted { // a server of HTTP/2 begins with settings
		f.isStarted = true
		f.isHTTP2 = len(data) >= frameHeader && data[3] == typeSettings && data[4] == 0 && binary.BigEndian.Uint32(data[5:]) == 0
	}
	if !f.isHTTP2 {
		return hasRequest
	}
	isFound := false
	for len(data) > 0 {
		if f.remaining > 0 {
			count := min(f.remaining, len(data))
			f.remaining, data = f.remaining-count, data[count:]
			continue
		}
		count := min(frameHeader-len(f.header), len(data))
		f.header, data = append(f.header, data[:count]...), data[count:]
		if len(f.header) == frameHeader {
			f.remaining = int(f.header[0])<<16 | int(f.header[1])<<8 | int(f.header[2])
			// Headers at the end of a stream are the trailers of a response.
			isFound = isFound || f.header[3] == typeHeaders && f.header[4]&flagEnd == 0
			f.header = f.header[:0]
		}
	}
	return isFound
}
