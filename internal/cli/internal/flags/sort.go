package flags

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"galaxy/rtmanager/internal/ports"
)

// SortByFlag is the name of the flag of an order.
const SortByFlag = "sort-by"

// BindSortBy declares the flag of the order of records.
func BindSortBy(cmd *cobra.Command, target *ports.RecordOrder) {
	cmd.Flags().Var(&sortByValue{target}, SortByFlag, "sort by this `FIELD` of the records, such as created_at or restarts; -FIELD is descending")
	var fields []string
	for _, field := range ports.SortFields() {
		fields = append(fields, field, "-"+field)
	}
	_ = cmd.RegisterFlagCompletionFunc(SortByFlag, cobra.FixedCompletions(fields, cobra.ShellCompDirectiveNoFileComp))
}

// sortByValue is the value of the flag. As kubectl does, it also accepts a field as a path, such as
// .created_at or {.created_at}.
type sortByValue struct{ target *ports.RecordOrder }

func (v *sortByValue) Type() string   { return "field" }
func (v *sortByValue) String() string { return v.target.String() }

func (v *sortByValue) Set(text string) error {
	field, isDescending := strings.CutPrefix(text, "-")
	if path, isBraced := strings.CutPrefix(field, "{"); isBraced {
		field = strings.TrimSuffix(path, "}")
	}
	field = strings.TrimPrefix(field, ".")
	order := ports.RecordOrder{Field: field, Descending: isDescending}
	if err := order.Validate(); err != nil || field == "" {
		return fmt.Errorf("%.64q is not a field to sort by; use one of %s", text, strings.Join(ports.SortFields(), ", "))
	}
	*v.target = order
	return nil
}
