// Package etag converts revisions to entity tags, and parses the conditional headers of
// RFC 9110.
package etag

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Of returns a revision as a strong entity tag.
func Of(revision int64) string { return strconv.Quote(strconv.FormatInt(revision, 10)) }

// Condition is the precondition that If-Match and If-None-Match of a write express.
type Condition struct {
	IsAbsent  bool    // there is no record
	Exists    bool    // there is a record
	Revisions []int64 // the record has one of these revisions
}

// IsEmpty reports whether the condition requires nothing.
func (c Condition) IsEmpty() bool { return !c.IsAbsent && !c.Exists && len(c.Revisions) == 0 }

// Exact returns the only revision that the condition allows, 0 for no record, and false
// if it allows several.
func (c Condition) Exact() (int64, bool) {
	switch {
	case c.IsAbsent:
		return 0, true
	case !c.Exists && len(c.Revisions) == 1:
		return c.Revisions[0], true
	}
	return 0, false
}

// Holds reports whether a record of the revision meets the condition.
func (c Condition) Holds(revision int64) bool {
	return c.Exists || slices.Contains(c.Revisions, revision)
}

// ParseError names the header that cannot be parsed.
type ParseError struct {
	Header string
	Reason string
}

// Error returns the header and the reason.
func (e *ParseError) Error() string { return e.Header + " " + e.Reason }

// Parse parses the two headers of a write. The error is a *ParseError.
func Parse(ifMatch, ifNoneMatch string) (Condition, error) {
	switch {
	case ifMatch != "" && ifNoneMatch != "":
		return Condition{}, &ParseError{"If-Match", "contradicts If-None-Match; send one of them"}
	case ifNoneMatch == "*":
		return Condition{IsAbsent: true}, nil
	case ifNoneMatch != "":
		return Condition{}, &ParseError{"If-None-Match", "can only be * on a write, which requires that there is no record"}
	case ifMatch == "*":
		return Condition{Exists: true}, nil
	case ifMatch == "":
		return Condition{}, nil
	}
	var c Condition
	for tag := range strings.SplitSeq(ifMatch, ",") {
		revision, err := parseTag(strings.TrimSpace(tag))
		if err != nil {
			return Condition{}, &ParseError{"If-Match", err.Error()}
		}
		c.Revisions = append(c.Revisions, revision)
	}
	return c, nil
}

func parseTag(tag string) (int64, error) {
	revision, err := strconv.ParseInt(strings.Trim(tag, `"`), 10, 64)
	if err != nil || revision <= 0 || Of(revision) != tag {
		return 0, errors.New(invalidTag(tag))
	}
	return revision, nil
}

func invalidTag(tag string) string {
	return fmt.Sprintf("%.64q is not an ETag of this API: a revision in double quotes, or *", tag)
}

// Matches reports whether an If-None-Match of a read names the revision, by the weak
// comparison that reads use. A foreign tag matches nothing.
func Matches(ifNoneMatch string, revision int64) bool {
	return MatchesText(ifNoneMatch, strconv.FormatInt(revision, 10))
}

// MatchesText is Matches for the text of an entity tag, without quotes.
func MatchesText(ifNoneMatch, text string) bool {
	for tag := range strings.SplitSeq(ifNoneMatch, ",") {
		tag = strings.TrimPrefix(strings.TrimSpace(tag), "W/")
		if tag == "*" || tag == strconv.Quote(text) {
			return true
		}
	}
	return false
}
