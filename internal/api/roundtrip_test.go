package api_test

import (
	"encoding/json"
	"reflect"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// filled returns a T without zero fields and without equal fields. With it a test detects
// fields that a conversion drops or confuses.
func filled[T any](t *testing.T) T {
	t.Helper()
	var value T
	next := 0
	fill(t, reflect.ValueOf(&value).Elem(), &next)
	return value
}

func fill(t *testing.T, v reflect.Value, next *int) {
	t.Helper()
	*next++
	switch v.Interface().(type) {
	case time.Time:
		v.Set(reflect.ValueOf(time.Date(2026, 1, 1, 0, 0, *next, 0, time.UTC)))
		return
	case runtime.Metadata:
		v.SetString(`{"n":` + strconv.Itoa(*next) + `}`)
		return
	case error:
		v.Set(reflect.ValueOf(&runtime.CorruptError{Key: "k" + strconv.Itoa(*next)}))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString("text " + strconv.Itoa(*next))
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(*next))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(t, v.Elem(), next)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range v.Len() {
			fill(t, v.Index(i), next)
		}
	case reflect.Float64:
		v.SetFloat(float64(*next))
	case reflect.Map:
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(t, key, next)
		fill(t, value, next)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(key, value)
	case reflect.Struct:
		for i := range v.NumField() {
			fill(t, v.Field(i), next)
		}
	default:
		require.Fail(t, "fill does not support this kind", "%s", v.Type())
	}
}

// overTheWire returns the value after encoding and decoding.
func overTheWire[T any](t *testing.T, sent T) T {
	t.Helper()
	text, err := json.Marshal(sent)
	require.NoError(t, err)
	var received T
	require.NoError(t, json.Unmarshal(text, &received), "%s", text)
	return received
}

// A conversion and its inverse lose nothing.
func TestConversionsLoseNothing(t *testing.T) {
	t.Parallel()
	page := filled[ports.Page](t)
	sent := api.PageFrom(page)
	sent.Continue = page.Next
	require.Equal(t, page, overTheWire(t, sent).PortsPage())

	event := filled[ports.RuntimeEvent](t)
	require.Equal(t, event, overTheWire(t, api.EventFrom(event)).RuntimeEvent())

	info := filled[ports.StoreInfo](t)
	require.Equal(t, info, overTheWire(t, api.ClusterFrom(info)).StoreInfo())

	report := filled[ports.CheckReport](t)
	require.Equal(t, report, overTheWire(t, api.CheckFrom(report)).Report())

	corruptErrors := filled[[]*runtime.CorruptError](t)
	for i, one := range api.CorruptFrom(corruptErrors) {
		require.Equal(t, corruptErrors[i], overTheWire(t, one).Err())
	}
	history := filled[api.History](t)
	require.Equal(t, history, overTheWire(t, history))
	problem := filled[api.Problem](t)
	require.Equal(t, problem, overTheWire(t, problem))
}

// Empty lists are encoded as such, never as null.
func TestEmptyListsAreNotNull(t *testing.T) {
	t.Parallel()
	for want, value := range map[string]any{
		`"items":[],"item_revisions":[]`: api.PageFrom(ports.Page{}),
		`"members":[],"alarms":[]`:       api.ClusterFrom(ports.StoreInfo{}),
		`"client_urls":[]`:               api.ClusterFrom(ports.StoreInfo{Members: []ports.StoreMember{{}}}),
		`"findings":[]`:                  api.CheckFrom(ports.CheckReport{}),
	} {
		text, err := json.Marshal(value)
		require.NoError(t, err)
		require.Contains(t, string(text), want)
	}
}

// A page of a server that sends no item revisions can be read.
func TestPageWithoutItemRevisions(t *testing.T) {
	t.Parallel()
	page := api.Page{Revision: 3, Items: make([]runtime.RuntimeRecord, 2), ItemRevisions: []int64{2}}.PortsPage()
	require.Equal(t, []int64{2, 0}, []int64{page.Records[0].Revision, page.Records[1].Revision})
}
