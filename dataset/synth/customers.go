package synth

import (
	"math"

	"github.com/coterie-project/coterie/dataset"
)

// group is a kind of customer. Recency, frequency and basket are lognormal: the logarithm's mean is that of the median
// given, its deviation is given.
type group struct {
	share                     float64
	age, ageDeviation         float64
	recency, recencyDeviation float64 // days since the last purchase
	frequency, freqDeviation  float64 // purchases
	basket, basketDeviation   float64 // money spent at one purchase
	prosperity                float64 // factor on income
}

// groups are the answer key: true_segment is the index. They overlap as customers do, and can be found in the
// logarithms of recency, frequency and monetary.
var groups = [...]group{
	{share: 0.12, age: 47, ageDeviation: 11, recency: 9, recencyDeviation: 0.7, frequency: 24, freqDeviation: 0.40,
		basket: 68, basketDeviation: 0.45, prosperity: 1.25}, // champions: recent, often, much
	{share: 0.18, age: 31, ageDeviation: 9, recency: 13, recencyDeviation: 0.7, frequency: 1.6, freqDeviation: 0.35,
		basket: 38, basketDeviation: 0.55, prosperity: 0.90}, // new: recent, once or twice
	{share: 0.34, age: 40, ageDeviation: 13, recency: 62, recencyDeviation: 0.5, frequency: 5.5, freqDeviation: 0.40,
		basket: 42, basketDeviation: 0.50, prosperity: 1.00}, // occasional: now and then
	{share: 0.15, age: 52, ageDeviation: 12, recency: 175, recencyDeviation: 0.35, frequency: 15, freqDeviation: 0.40,
		basket: 57, basketDeviation: 0.45, prosperity: 1.10}, // at risk: were good, have not come for long
	{share: 0.21, age: 44, ageDeviation: 15, recency: 340, recencyDeviation: 0.35, frequency: 2.2, freqDeviation: 0.45,
		basket: 31, basketDeviation: 0.55, prosperity: 0.95}, // hibernating: long ago, little
}

// level is a degree of education with its share and the median income that goes with it.
type level struct {
	name   string
	share  float64
	income float64
}

var educations = [...]level{
	{"secondary", 0.30, 21_000}, {"vocational", 0.27, 26_000}, {"bachelor", 0.25, 34_000}, {"master", 0.14, 42_000},
	{"doctorate", 0.04, 50_000},
}

var genders = [...]level{{name: "female", share: 0.53}, {name: "male", share: 0.45}, {name: "other", share: 0.02}}

// pick is the index that a number in (0, 1) falls to, by shares that add up to 1.
func pick(u float64, n int, share func(i int) float64) int {
	for i := range n - 1 {
		if u -= share(i); u < 0 {
			return i
		}
	}
	return n - 1
}

// customers is a customer table with known groups.
type customers struct {
	seed uint64
}

// The columns of customers.
const (
	customerID = iota
	age
	income
	recencyDays
	frequency
	monetary
	gender
	education
	trueSegment
)

func (customers) columns() []dataset.Column {
	whole := func(name string) dataset.Column {
		return dataset.Column{Name: name, Kind: dataset.Number, Integer: true}
	}
	return []dataset.Column{
		whole("customer_id"), whole("age"), {Name: "income", Kind: dataset.Number}, whole("recency_days"), whole("frequency"),
		{Name: "monetary", Kind: dataset.Number}, {Name: "gender", Kind: dataset.Text}, {Name: "education", Kind: dataset.Text},
		whole("true_segment"),
	}
}

func (customers) rowBytes() int64 { return 7*8 + 20 }
func (c customers) open() filler  { return &customerFiller{c} }

type customerFiller struct {
	customers
}

// fill makes all columns: a row is cheap, and its parts hang together.
func (f *customerFiller) fill(first int64, n int, _ []bool, into []dataset.Vector) {
	for _, c := range [...]int{customerID, age, recencyDays, frequency, trueSegment} {
		into[c].Int64 = resize(into[c].Int64, n)
	}
	into[income].Float64, into[monetary].Float64 = resize(into[income].Float64, n), resize(into[monetary].Float64, n)
	restart(&into[gender].Text)
	restart(&into[education].Text)
	for i := range n {
		row := first + int64(i)
		p := person(keyed(f.seed, purposeRow, uint64(row)))
		into[customerID].Int64[i] = row + 1
		into[age].Int64[i] = p.age
		into[income].Float64[i] = p.income
		into[recencyDays].Int64[i] = p.recency
		into[frequency].Int64[i] = p.frequency
		into[monetary].Float64[i] = p.monetary
		put(&into[gender].Text, genders[p.gender].name)
		put(&into[education].Text, educations[p.education].name)
		into[trueSegment].Int64[i] = int64(p.group)
	}
}

// human is one row of customers.
type human struct {
	group, gender, education int
	age, recency, frequency  int64
	income, monetary         float64
}

// person draws a row. The order of the draws is part of what a seed means.
func person(s stream) human {
	var p human
	p.group = pick(s.unit(), len(groups), func(i int) float64 { return groups[i].share })
	g := &groups[p.group]
	p.age = int64(clamp(math.Floor(g.age+float64(g.ageDeviation*s.normal())), 18, 95))
	p.gender = pick(s.unit(), len(genders), func(i int) float64 { return genders[i].share })
	p.education = pick(s.unit(), len(educations), func(i int) float64 { return educations[i].share })
	p.recency = int64(clamp(math.Floor(float64(g.recency*s.lognormal(0, g.recencyDeviation))), 0, 1095))
	p.frequency = int64(clamp(math.Floor(float64(g.frequency*s.lognormal(0, g.freqDeviation))+0.5), 1, 999))
	p.monetary = cents(float64(g.basket*s.lognormal(0, g.basketDeviation)) * float64(p.frequency))
	// Income rises with age to the fifties: 70 % at 18, 106 % at 54 and after.
	seniority := 0.7 + float64(0.01*min(float64(p.age)-18, 36))
	earned := float64(educations[p.education].income*seniority) * g.prosperity
	p.income = 10 * math.Floor(float64(earned*s.lognormal(0, 0.35))/10)
	return p
}

func clamp(x, low, high float64) float64 { return max(low, min(high, x)) }
