package layout

import (
	"bytes"
	"strconv"
	"time"
	"unicode/utf8"

	"galaxy/rtmanager/internal/domain/runtime"
)

// decodeCanonical decodes a value that has exactly the form in which EncodeRecord writes most
// records: the members in this order, without white space or escapes. It is several times
// faster than the JSON package. It returns false for every other value, valid or not, and for
// records with an operation in progress, metadata or unknown members; rec may be changed then.
//
// The JSON package decodes each value that it accepts to the same record, which
// FuzzCanonicalRecord verifies.
func (d *RecordDecoder) decodeCanonical(value []byte, gameID string, rec *StoredRecord) bool {
	c := canonicalReader{decoder: d, rest: value}
	c.beginObject()
	c.required("game_id")
	if string(c.text()) != gameID {
		c.fail()
	}
	rec.GameID = gameID
	c.runtime(&rec.RuntimeRecord)
	c.required("schema")
	if c.integer() != recordSchema {
		c.fail()
	}
	rec.Schema = recordSchema
	c.required("last_write")
	c.lastWrite(&rec.LastWrite)
	c.endObject()
	rec.Ready = rec.IsReady()
	return !c.hasFailed && len(c.rest) == 0 && rec.Status.IsKnown()
}

// canonicalReader reads JSON in canonical form. After a failure, its methods return zero values.
type canonicalReader struct {
	decoder   *RecordDecoder
	rest      []byte
	isFirst   bool // no member of the current object was read
	hasFailed bool
}

// runtime reads the members of a record after its game id.
func (c *canonicalReader) runtime(rec *runtime.RuntimeRecord) {
	rec.Status = runtime.Status(c.sharedMember("status"))
	rec.Region = c.sharedMember("region")
	rec.Node = c.sharedMember("node")
	rec.CurrentContainerID = c.ownMember("current_container_id")
	rec.CurrentImageRef = c.sharedMember("current_image_ref")
	if c.member("image_digest") {
		rec.ImageDigest = c.decoder.shared(c.text())
	}
	rec.EngineEndpoint = c.ownMember("engine_endpoint")
	rec.StatePath = c.ownMember("state_path")
	rec.DockerNetwork = c.sharedMember("docker_network")
	if c.member("labels") {
		rec.Labels = c.labels()
	}
	if c.member("ports") {
		rec.Ports = c.ports()
	}
	c.condition(&rec.Condition)
	if c.member("ready") {
		c.literal("true") // derived from the other members
	}
	c.required("generation")
	rec.Generation = c.integer()
	c.required("created_at")
	rec.CreatedAt = c.time()
	c.required("last_op_at")
	rec.LastOpAt = c.time()
	rec.StartedAt = c.optionalTime("started_at")
	rec.StoppedAt = c.optionalTime("stopped_at")
	rec.RemovedAt = c.optionalTime("removed_at")
	if c.member("request_cpus") {
		rec.RequestCPUs = c.decimal()
	}
	if c.member("request_memory_bytes") {
		rec.RequestMemoryBytes = c.integer()
	}
}

// condition reads the members of a condition without an operation.
func (c *canonicalReader) condition(condition *runtime.Condition) {
	if c.member("desired_status") {
		condition.DesiredStatus = runtime.Status(c.decoder.shared(c.text()))
	}
	if c.member("health") {
		condition.Health = runtime.Health(c.decoder.shared(c.text()))
	}
	condition.HealthSince = c.optionalTime("health_since")
	if c.member("restarts") {
		condition.Restarts = c.integer()
	}
	if condition.CrashLoop = c.member("crash_loop"); condition.CrashLoop {
		c.literal("true")
	}
	if condition.RestartPending = c.member("restart_pending"); condition.RestartPending {
		c.literal("true")
	}
	condition.NodeLostAt = c.optionalTime("node_lost_at")
}

func (c *canonicalReader) lastWrite(write *LastWrite) {
	c.beginObject()
	write.OperationID = c.ownMember("operation_id")
	c.required("seq")
	write.Seq = c.integer()
	write.Kind = WriteKind(c.sharedMember("kind"))
	if write.HasNewerCondition = c.member("has_newer_condition"); write.HasNewerCondition {
		c.literal("true")
	}
	c.endObject()
}

// labels reads an object of strings.
func (c *canonicalReader) labels() map[string]string {
	labels := map[string]string{}
	c.beginObject()
	for len(labels) == 0 && !c.hasFailed || c.skip(',') {
		key := c.decoder.shared(c.text())
		c.literal(":")
		if _, isDuplicate := labels[key]; isDuplicate {
			c.fail()
		}
		labels[key] = c.decoder.shared(c.text())
	}
	c.endObject()
	return labels
}

func (c *canonicalReader) ports() []runtime.Port {
	var ports []runtime.Port
	c.literal("[")
	for len(ports) == 0 || c.skip(',') {
		var port runtime.Port
		c.beginObject()
		port.Name = c.sharedMember("name")
		port.Protocol = runtime.Protocol(c.sharedMember("protocol"))
		if c.member("container_port") {
			port.ContainerPort = int(c.integer())
		}
		port.Host = c.sharedMember("host")
		c.required("port")
		port.Port = int(c.integer())
		c.endObject()
		ports = append(ports, port)
	}
	c.literal("]")
	return ports
}

// fail makes the value one that is not in canonical form.
func (c *canonicalReader) fail() { c.hasFailed, c.rest = true, nil }

// skip skips the character if it is next, and reports whether it was.
func (c *canonicalReader) skip(char byte) bool {
	if len(c.rest) == 0 || c.rest[0] != char {
		return false
	}
	c.rest = c.rest[1:]
	return true
}

// literal skips the text, which must be next.
func (c *canonicalReader) literal(text string) {
	if len(c.rest) < len(text) || string(c.rest[:len(text)]) != text {
		c.fail()
		return
	}
	c.rest = c.rest[len(text):]
}

func (c *canonicalReader) beginObject() {
	c.literal("{")
	c.isFirst = true
}

func (c *canonicalReader) endObject() {
	c.literal("}")
	c.isFirst = false
}

// member reports whether the member with the name is next, and skips its name if it is.
func (c *canonicalReader) member(name string) bool {
	rest := c.rest
	if !c.isFirst {
		if len(rest) == 0 || rest[0] != ',' {
			return false
		}
		rest = rest[1:]
	}
	end := len(name) + 3 // quotes and colon
	if len(rest) < end || rest[0] != '"' || string(rest[1:end-2]) != name || rest[end-2] != '"' || rest[end-1] != ':' {
		return false
	}
	c.isFirst, c.rest = false, rest[end:]
	return true
}

// required is member for one that must be next.
func (c *canonicalReader) required(name string) {
	if !c.member(name) {
		c.fail()
	}
}

// sharedMember reads the text of a member that many records have in common.
func (c *canonicalReader) sharedMember(name string) string {
	c.required(name)
	return c.decoder.shared(c.text())
}

// ownMember reads the text of a member that differs in each record.
func (c *canonicalReader) ownMember(name string) string {
	c.required(name)
	return c.decoder.copyText(c.text())
}

// text reads a string without escapes.
func (c *canonicalReader) text() []byte {
	if !c.skip('"') {
		c.fail()
		return nil
	}
	end := bytes.IndexByte(c.rest, '"')
	if end < 0 {
		c.fail()
		return nil
	}
	text := c.rest[:end]
	c.rest = c.rest[end+1:]
	isASCII := true
	for _, char := range text {
		if char < ' ' || char == '\\' {
			c.fail()
			return nil
		}
		isASCII = isASCII && char < utf8.RuneSelf
	}
	if !isASCII && !utf8.Valid(text) {
		c.fail()
		return nil
	}
	return text
}

// maxDigits bounds the digits of a number, so that it cannot overflow an int64.
const maxDigits = 18

// digits reads the digits of an integer without superfluous zeros.
func (c *canonicalReader) digits() []byte {
	end := 0
	for end < len(c.rest) && '0' <= c.rest[end] && c.rest[end] <= '9' {
		end++
	}
	digits := c.rest[:end]
	if end == 0 || end > maxDigits || end > 1 && digits[0] == '0' {
		c.fail()
		return nil
	}
	c.rest = c.rest[end:]
	return digits
}

// integer reads a number without fraction and exponent.
func (c *canonicalReader) integer() int64 {
	isNegative := c.skip('-')
	digits := c.digits()
	if isNegative && string(digits) == "0" {
		c.fail()
	}
	var n int64
	for _, digit := range digits {
		n = 10*n + int64(digit-'0')
	}
	if isNegative {
		return -n
	}
	return n
}

// decimal reads a number that is not negative and has no exponent.
func (c *canonicalReader) decimal() float64 {
	number := c.rest
	c.digits()
	if c.skip('.') {
		end := 0
		for end < len(c.rest) && '0' <= c.rest[end] && c.rest[end] <= '9' {
			end++
		}
		if end == 0 {
			c.fail()
			return 0
		}
		c.rest = c.rest[end:]
	}
	if c.hasFailed {
		return 0
	}
	value, err := strconv.ParseFloat(string(number[:len(number)-len(c.rest)]), 64)
	if err != nil {
		c.fail()
	}
	return value
}

// time reads a time in UTC as RFC 3339 has it.
func (c *canonicalReader) time() time.Time {
	text := c.text()
	var at time.Time
	if !bytes.HasSuffix(text, []byte("Z")) || bytes.IndexByte(text, ',') >= 0 || at.UnmarshalText(text) != nil {
		c.fail()
	}
	return at
}

// optionalTime returns nil unless the member is next.
func (c *canonicalReader) optionalTime(name string) *time.Time {
	if !c.member(name) {
		return nil
	}
	return c.decoder.ownTime(c.time())
}
