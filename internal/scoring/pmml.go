package scoring

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/coterie-project/coterie/internal/fault"
)

// PMML writes a ClusteringModel of PMML 4.4 (Data Mining Group, 2019). Its outputs are segment and distance; a row that
// Document gives no segment is invalid there. The error is Usage for a text that XML cannot hold.
func (d *Document) PMML(w io.Writer) error {
	x := &pmml{d: d}
	if err := x.check(); err != nil {
		return err
	}
	x.line(`<?xml version="1.0" encoding="UTF-8"?>`)
	x.open(`<PMML xmlns="http://www.dmg.org/PMML-4_4" version="4.4">`)
	x.line(`<Header description=%s><Application name="coterie"/></Header>`, quoted("segments of customers; model "+d.Digest))
	x.dictionary()
	x.open(`<TransformationDictionary>`)
	for i := range d.Coordinates {
		x.coordinate(i)
	}
	x.normalised()
	x.close(`</TransformationDictionary>`)
	x.clustering()
	x.close(`</PMML>`)
	_, err := w.Write(x.out.Bytes())
	return err
}

// pmml is a document on its way.
type pmml struct {
	d     *Document
	out   bytes.Buffer
	depth int
}

func (x *pmml) line(format string, args ...any) {
	for range x.depth {
		x.out.WriteByte(' ')
	}
	fmt.Fprintf(&x.out, format, args...)
	x.out.WriteByte('\n')
}

func (x *pmml) open(format string, args ...any) {
	x.line(format, args...)
	x.depth++
}

func (x *pmml) close(format string) {
	x.depth--
	x.line("%s", format)
}

// quoted is a text as an attribute.
func quoted(s string) string {
	var b strings.Builder
	// A string builder stands behind it: it does not fail.
	_ = xml.EscapeText(&b, []byte(s))
	return `"` + b.String() + `"`
}

// constant is an element for a value.
func constant(x float64) string {
	return `<Constant dataType="double">` + strconv.FormatFloat(x, 'g', -1, 64) + `</Constant>`
}

func field(name string) string { return `<FieldRef field=` + quoted(name) + `/>` }

func apply(function string, arguments ...string) string {
	return `<Apply function="` + function + `">` + strings.Join(arguments, "") + `</Apply>`
}

// check holds that XML can hold the texts.
func (x *pmml) check() error {
	var texts []string
	for _, f := range x.d.Features {
		texts = append(append(texts, f.Name), f.Order...)
	}
	for _, c := range x.d.Coordinates {
		texts = append(texts, c.Texts...)
	}
	for _, s := range x.d.Segments {
		texts = append(texts, s.Name)
	}
	for _, s := range texts {
		holds := utf8.ValidString(s)
		for _, r := range s {
			holds = holds && (r >= 0x20 || r == '\t' || r == '\n' || r == '\r') && r != 0xFFFE && r != 0xFFFF
		}
		if !holds {
			return fault.Usagef("--as: pmml has no way to write %q", s).Do("use --as json")
		}
	}
	return nil
}

// dictionary says which columns there are.
func (x *pmml) dictionary() {
	x.open(`<DataDictionary numberOfFields="%d">`, len(x.d.Features))
	for _, f := range x.d.Features {
		name := quoted(f.Name)
		switch f.Kind {
		case KindNumber:
			closure, least := "closedClosed", -f.Most
			if f.Above != nil {
				closure, least = "openClosed", *f.Above
			}
			x.line(`<DataField name=%s optype="continuous" dataType="double"><Interval closure="%s" leftMargin="%v" rightMargin="%v"/></DataField>`,
				name, closure, least, f.Most)
		case KindOrder:
			var values string
			for _, text := range f.Order {
				values += `<Value value=` + quoted(text) + `/>`
			}
			x.line(`<DataField name=%s optype="categorical" dataType="string">%s</DataField>`, name, values)
		default:
			x.line(`<DataField name=%s optype="categorical" dataType="string"/>`, name)
		}
	}
	x.close(`</DataDictionary>`)
}

// derived is the name of the field of a coordinate.
func (x *pmml) derived(kind string, i int) string { return x.free("coterie_"+kind) + strconv.Itoa(i) }

// free is a name that no feature has or begins with: they may be called anything.
func (x *pmml) free(name string) string {
	for slices.ContainsFunc(x.d.Features, func(f Feature) bool { return strings.HasPrefix(f.Name, name) }) {
		name = "_" + name
	}
	return name
}

// coordinate derives a field from a feature.
func (x *pmml) coordinate(i int) {
	c := &x.d.Coordinates[i]
	f := &x.d.Features[c.feature]
	var value string
	switch c.Kind {
	case KindNumber:
		value = x.number(c, f)
	case KindMissing:
		value = apply("if", apply("isMissing", field(f.Name)), constant(c.Weight), constant(0))
	default:
		is := make([]string, len(c.Texts))
		for k, text := range c.Texts {
			is[k] = indicator(f.Name, text, c.Missing && k == 0)
		}
		value = times(total(is), c.Weight)
	}
	x.line(`<DerivedField name=%s displayName=%s optype="continuous" dataType="double">%s</DerivedField>`, quoted(x.derived("c", i)), quoted(c.Name), value)
}

// indicator is 1 where a field has a text, else 0; missing says what it is where there is none. The text stands in an attribute:
// not every reader of PMML puts the pieces of an element's text together.
func indicator(name, text string, missing bool) string {
	instead := 0
	if missing {
		instead = 1
	}
	return fmt.Sprintf(`<NormDiscrete field=%s value=%s mapMissingTo="%d"/>`, quoted(name), quoted(text), instead)
}

func total(terms []string) string {
	if len(terms) == 1 {
		return terms[0]
	}
	return apply("sum", terms...)
}

func times(value string, weight float64) string {
	if weight == 1 {
		return value
	}
	return apply("*", value, constant(weight))
}

// number scales a number, or the position of a text.
func (x *pmml) number(c *Coordinate, f *Feature) string {
	value := field(f.Name)
	if len(f.Order) > 0 {
		var positions []string
		for i, text := range f.Order[1:] {
			positions = append(positions, times(indicator(f.Name, text, false), float64(i+1)))
		}
		value = constant(0)
		if len(positions) > 0 {
			value = total(positions)
		}
	}
	if f.Fill != nil {
		value = apply("if", apply("isMissing", field(f.Name)), constant(*f.Fill), value)
	}
	if c.Log1p {
		value = apply("ln", apply("+", constant(1), value))
	}
	return times(apply("/", apply("-", value, constant(c.Center)), constant(c.Spread)), c.Weight)
}

// normalised derives the coordinates of rows of length 1.
func (x *pmml) normalised() {
	if !x.d.Normalise {
		return
	}
	squares := make([]string, len(x.d.Coordinates))
	for i := range squares {
		c := field(x.derived("c", i))
		squares[i] = apply("*", c, c)
	}
	x.line(`<DerivedField name=%s optype="continuous" dataType="double">%s</DerivedField>`, quoted(x.derived("length", 0)), apply("sqrt", total(squares)))
	for i := range x.d.Coordinates {
		x.line(`<DerivedField name=%s optype="continuous" dataType="double">%s</DerivedField>`, quoted(x.derived("n", i)),
			apply("/", field(x.derived("c", i)), field(x.derived("length", 0))))
	}
}

// clustering is the model itself.
func (x *pmml) clustering() {
	x.open(`<ClusteringModel modelName="coterie" functionName="clustering" modelClass="centerBased" numberOfClusters="%d">`, len(x.d.Segments))
	x.open(`<MiningSchema>`)
	for _, f := range x.d.Features {
		treatment := "asIs"
		if f.Required {
			treatment = "returnInvalid"
		}
		x.line(`<MiningField name=%s usageType="active" missingValueTreatment=%q invalidValueTreatment="returnInvalid"/>`, quoted(f.Name), treatment)
	}
	x.close(`</MiningSchema>`)
	squared := x.free("squared")
	distance := apply("sqrt", field(squared))
	if x.d.Normalise {
		distance = apply("/", field(squared), constant(2))
	}
	x.open(`<Output>`)
	x.line(`<OutputField name=%s optype="categorical" dataType="string" feature="predictedValue"/>`, quoted(x.free("segment")))
	x.line(`<OutputField name=%s optype="continuous" dataType="double" feature="affinity"/>`, quoted(squared))
	x.line(`<OutputField name=%s optype="continuous" dataType="double" feature="transformedValue">%s</OutputField>`, quoted(x.free("distance")), distance)
	x.close(`</Output>`)
	x.line(`<ComparisonMeasure kind="distance" compareFunction="absDiff"><squaredEuclidean/></ComparisonMeasure>`)
	kind := "c"
	if x.d.Normalise {
		kind = "n"
	}
	for i := range x.d.Coordinates {
		x.line(`<ClusteringField field=%s compareFunction="absDiff"/>`, quoted(x.derived(kind, i)))
	}
	for i, s := range x.d.Segments {
		numbers := make([]string, len(s.Centroid))
		for j, c := range s.Centroid {
			numbers[j] = strconv.FormatFloat(c, 'g', -1, 64)
		}
		x.line(`<Cluster id="%d" name=%s size="%d"><Array n="%d" type="real">%s</Array></Cluster>`, i, quoted(s.Name), s.Rows, len(numbers), strings.Join(numbers, " "))
	}
	x.close(`</ClusteringModel>`)
}
