package request

import (
	"encoding"
	"reflect"
	"strings"
	"sync"
	"time"
)

// Member is one member of the JSON object of a struct.
type Member struct {
	Name  string
	Type  reflect.Type
	Tag   reflect.StructTag
	Index []int
	// IsOptional reports whether the member can be absent from the encoded object.
	IsOptional bool
}

// memberCache caches the results of Members: reflect.Type to []Member.
var memberCache sync.Map

// Members returns the members of the JSON object of a struct, those of embedded structs
// included, in the order of declaration. The caller must not modify them.
func Members(t reflect.Type) []Member {
	if cached, isCached := memberCache.Load(t); isCached {
		return cached.([]Member)
	}
	members := readMembers(t)
	memberCache.Store(t, members)
	return members
}

func readMembers(t reflect.Type) []Member {
	var members []Member
	for _, field := range reflect.VisibleFields(t) {
		name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		if name == "" || name == "-" || !field.IsExported() {
			continue
		}
		members = append(members, Member{
			Name: name, Type: field.Type, Tag: field.Tag, Index: field.Index, IsOptional: strings.Contains(options, "omit"),
		})
	}
	return members
}

func findMember(members []Member, name string) (Member, bool) {
	for _, member := range members {
		if member.Name == name {
			return member, true
		}
	}
	return Member{}, false
}

// IsObject reports whether the type is a struct that JSON encodes as an object.
func IsObject(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && t != reflect.TypeFor[time.Time]() && !reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
}
