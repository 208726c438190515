package rfm

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/hostile"
)

func at(text string) int64 {
	t, err := time.Parse("2006-01-02 15:04:05.999999", text)
	if err != nil {
		panic(err)
	}
	return t.UnixMicro()
}

func TestDateFormsAreReadAsTheyAreWritten(t *testing.T) {
	for _, test := range []struct {
		text string
		form form
		want string // "" if it is no date in that form
	}{
		{"2010-12-01", yearFirst, "2010-12-01 00:00:00"},
		{"2010/12/1", yearFirst, "2010-12-01 00:00:00"},
		{"2010.12.01 8:26", yearFirst, "2010-12-01 08:26:00"},
		{"2010-12-01T08:26:00Z", yearFirst, "2010-12-01 08:26:00"},
		{"2010-12-01t08:26:00z", yearFirst, "2010-12-01 08:26:00"},
		{"2010-12-01 08:26:00 UTC", yearFirst, "2010-12-01 08:26:00"},
		{"2010-12-01T00:26:00+01:00", yearFirst, "2010-11-30 23:26:00"},
		{"2010-12-31T23:26:00.1234567-0530", yearFirst, "2011-01-01 04:56:00.123456"},
		{"2010-12-01 08:26:00,5+01", yearFirst, "2010-12-01 07:26:00.5"},
		{"2000-02-29", yearFirst, "2000-02-29 00:00:00"},
		{"1900-02-29", yearFirst, ""},
		{"2010-13-01", yearFirst, ""},
		{"2010-12/01", yearFirst, ""},
		{"2010-12-012", yearFirst, ""},
		{"2010-12-01 24:00", yearFirst, ""},
		{"2010-12-01 08:60", yearFirst, ""},
		{"2010-12-01 08", yearFirst, ""},
		{"2010-12-01 08:26:00 CET", yearFirst, ""},
		{"2010-12-01 08:26:00.", yearFirst, ""},
		{"12/1/2010 8:26", monthFirst, "2010-12-01 08:26:00"},
		{"12/1/2010 8:26 PM", monthFirst, "2010-12-01 20:26:00"},
		{"12/1/2010 12:26 am", monthFirst, "2010-12-01 00:26:00"},
		{"12/1/2010 13:26 PM", monthFirst, ""},
		{"12/1/2010 8:26", dayFirst, "2010-01-12 08:26:00"},
		{"31.12.2010", dayFirst, "2010-12-31 00:00:00"},
		{"31-12-2010 23:59:59", dayFirst, "2010-12-31 23:59:59"},
		{"31/12/10", dayFirst, ""},
		{"31/12/20105", dayFirst, ""},
		{"20101201", compact, "2010-12-01 00:00:00"},
		{"20101201T082600Z", compact, "2010-12-01 08:26:00"},
		{"20101201082600", compact, "2010-12-01 08:26:00"},
		{"20101201 08:26", compact, "2010-12-01 08:26:00"},
		{"1291191960", compact, ""},
		{"1291191960000", compact, ""},
		{"1 Dec 2010", named, "2010-12-01 00:00:00"},
		{"01-DEC-2010 08:26:00", named, "2010-12-01 08:26:00"},
		{"December 1, 2010 8:26 am", named, "2010-12-01 08:26:00"},
		{"Dec 1 2010", named, "2010-12-01 00:00:00"},
		{"Dez 1 2010", named, ""},
		{"", yearFirst, ""}, {"", compact, ""}, {"", named, ""}, {"-", dayFirst, ""}, {"Septemberish 1 2010", named, ""},
	} {
		got, ok := parseDate([]byte(test.text), test.form)
		if ok != (test.want != "") || ok && got != at(test.want) {
			t.Errorf("%q, %s: got %v %v, want %s", test.text, test.form, time.UnixMicro(got).UTC(), ok, test.want)
		}
	}
}

func TestDateFormIsFoundFromTheColumn(t *testing.T) {
	for _, test := range []struct {
		dates  string
		format string
		want   string // last purchase, or the error
	}{
		{"2010-12-01|2010-12-02 08:26", "", "2010-12-02 08:26:00"},
		{"5/6/2010|NA|6/25/2010", "", "2010-06-25 00:00:00"},
		{"5/6/2010|25/5/2010", "", "2010-06-05 00:00:00"},
		{"5/5/2010", "", "2010-05-05 00:00:00"},
		{"5/5/2010|6/6/2010 8:00", "", "2010-06-06 08:00:00"},
		{"5/5/2010|7/6/2010", "%d/%m/%Y", "2010-06-07 00:00:00"},
		{"1 Mar 2010|02-Mar-2010", "", "2010-03-02 00:00:00"},
		{"20100301|20100302", "", "2010-03-02 00:00:00"},
		{"1267401600|1267401601", "%s", "2010-03-01 00:00:01"},
		{"5/5/2010|7/6/2010|8/6/2010", "", `till.csv: line 3, column date: date "7/6/2010" could have the day first or the month first, and no date of the table tells which (say which with --date-format, for instance %d/%m/%Y or %m/%d/%Y)`},
		{"25/12/2010|12/25/2010", "", `till.csv: line 3, column date: "12/25/2010" is not a date day first (31/12/2010)`},
		{"2010-12-01|12/25/2010", "", `till.csv: line 3, column date: "12/25/2010" is not a date year first`},
		{"1267401600", "", `till.csv: line 2, column date: date "1267401600" is in no form that is known (say its form with --date-format`},
		{"12/1/10 8:26", "", `till.csv: line 2, column date: date "12/1/10 8:26" is in no form that is known`},
		{"12/1/10 8:26", "%m/%d/%y %H:%M", "2010-12-01 08:26:00"},
		{"2010-12-01", "%m/%d/%y %H:%M", `till.csv: line 2, column date: "2010-12-01" is not a date of the form %m/%d/%y %H:%M`},
		{"soon|2010-12-01", "", `till.csv: line 2, column date: "soon" is not a date year first`},
	} {
		var cells [][]string
		for i, date := range strings.Split(test.dates, "|") {
			customer := "7"
			if date == "NA" {
				customer = ""
			}
			cells = append(cells, []string{customer, string(rune('1' + i)), date, "1", "1"})
		}
		m := table(plainHeader, cells)
		m.block = 1
		r, err := Run(context.Background(), m, Options{DateFormat: test.format})
		if err != nil {
			if fault.Code(err) != 3 || !strings.HasPrefix(err.Error(), test.want) {
				t.Errorf("%s: got error %v, want %s…", test.dates, err, test.want)
			}
			continue
		}
		if got := outcomeOf(t, r).Values[outLast].Micros[0]; got != at(test.want) {
			t.Errorf("%s: got %v, want %s", test.dates, time.UnixMicro(got).UTC(), test.want)
		}
	}
}

func TestLayoutsReadWhatStrptimeReads(t *testing.T) {
	for _, test := range []struct{ layout, text, want string }{
		{"%Y-%m-%d %H:%M", "2010-12-1 8:26", "2010-12-01 08:26:00"},
		{"%F %T", "2010-12-01 08:26:05", "2010-12-01 08:26:05"},
		{"%F%n%R", "2010-12-01   08:26", "2010-12-01 08:26:00"},
		{"%D", "12/01/10", "2010-12-01 00:00:00"},
		{"%d.%m.%y", "1.12.69", "1969-12-01 00:00:00"},
		{"%d.%m.%y", "1.12.68", "2068-12-01 00:00:00"},
		{"%A, %e %B %Y at %I:%M%p", "Wednesday,  1 December 2010 at 8:26pm", "2010-12-01 20:26:00"},
		{"%Y%j", "2012366", "2012-12-31 00:00:00"},
		{"%Y%j", "2011366", ""},
		{"%Y%m%d%%%H%M%S", "20101201%082605", "2010-12-01 08:26:05"},
		{"%Y-%m-%dT%H:%M:%S.%f%z", "2010-12-01T08:26:05.25+01:00", "2010-12-01 07:26:05.25"},
		{"%Y-%m-%d %Z", "2010-12-01 GMT", "2010-12-01 00:00:00"},
		{"%Y-%m-%d %z", "2010-12-01", ""},
		{"%s.%f", "-1.5", "1969-12-31 23:59:59.5"},
		{"%Y-%m-%d", "2010-12-01 08:26", ""},
		{"%Y-%m-%d", "2010-02-30", ""},
		{"%I %p %d %m %Y", "13 pm 1 1 2010", ""},
	} {
		l, err := parseLayout(test.layout)
		if err != nil {
			t.Errorf("%s: %v", test.layout, err)
			continue
		}
		got, ok := l.parse([]byte(test.text))
		if ok != (test.want != "") || ok && got != at(test.want) {
			t.Errorf("%s of %q: got %v %v, want %s", test.layout, test.text, time.UnixMicro(got).UTC(), ok, test.want)
		}
	}
	for _, format := range []string{"", "%", "%Y", "%d/%m", "%Y-%m-%d %I", "%Y-%m-%d %p", "%Y%Y%m%d", "%Y-%m-%d %E"} {
		if l, err := parseLayout(format); err == nil {
			t.Errorf("%q: got %v, want an error", format, l)
		}
	}
}

func TestDaysAreThoseOfTheCalendar(t *testing.T) {
	day := time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC)
	for day.Year() < 2200 {
		want := int(day.Unix() / 86400)
		if got := daysFromCivil(day.Year(), int(day.Month()), day.Day()); got != want {
			t.Fatalf("%v: got day %d, want %d", day, got, want)
		}
		if last := day.AddDate(0, 0, 1).Day() == 1; last != (day.Day() == daysIn(day.Year(), int(day.Month()))) {
			t.Fatalf("%v: the month has %d days", day, daysIn(day.Year(), int(day.Month())))
		}
		day = day.AddDate(0, 0, 1)
	}
}

// FuzzDates holds that no text crashes a reader of dates, and that what time.Parse reads as RFC 3339 is read alike.
func FuzzDates(f *testing.F) {
	for _, text := range []string{"2010-12-01T08:26:00Z", "12/1/2010 8:26 PM", "20101201082600", "1 Dec 2010", "Dec 1, 2010 0:00 +01"} {
		f.Add(text, "%Y-%m-%d %H:%M")
	}
	f.Add("2010-12-01T00:00:00.999999999-18:59", "%s.%f%z%a%p")
	f.Fuzz(func(t *testing.T, text, format string) {
		hostile.Ceiling(t, len(text)+len(format), 64<<10, 256, func() {
			look([]byte(text))
			if l, err := parseLayout(format); err == nil {
				l.parse([]byte(text))
			}
			want, err := time.Parse(time.RFC3339Nano, text)
			if err != nil || want.Year() < 1 || want.Year() > 9998 {
				return
			}
			if _, offset := want.Zone(); offset > 18*3600 || offset < -18*3600 {
				return
			}
			if got, ok := parseDate([]byte(text), yearFirst); !ok || got != want.UnixMicro() {
				t.Errorf("%q: got %v %v, want %v", text, time.UnixMicro(got).UTC(), ok, want)
			}
		})
	})
}
