"""The goods of the demonstration marketplace: six merchants, some 240 products in Chinese and English. Plain data."""

# ruff: noqa: E501 -- a table reads better in long lines

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product

from chalicelib.kernel.texts import Texts

CATEGORIES: tuple[tuple[str, str | None, Texts], ...] = (
    # Id, parent, name.
    ("tea", None, ("Tea", "茶")),
    ("tea-leaves", "tea", ("Tea leaves", "茶叶")),
    ("tea-ware", "tea", ("Tea ware", "茶具")),
    ("clothing", None, ("Clothing", "服饰")),
    ("clothing-tops", "clothing", ("Tops", "上装")),
    ("clothing-bags", "clothing", ("Bags", "箱包")),
    ("home", None, ("Home", "家居")),
    ("home-kitchen", "home", ("Kitchen", "厨具")),
    ("home-lighting", "home", ("Lighting", "灯具")),
    ("books", None, ("Books and stationery", "图书文具")),
    ("books-paper", "books", ("Paper goods", "纸本")),
    ("books-digital", "books", ("E-books", "电子书")),
    ("digital", None, ("Electronics", "数码")),
    ("digital-accessories", "digital", ("Accessories", "配件")),
    ("digital-vouchers", "digital", ("Vouchers", "卡券")),
    ("services", None, ("Home services", "到家服务")),
)


@dataclass(frozen=True)
class Axis:
    """One option axis of a product and its values; each value may add to the price."""

    name: str
    values: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Line:
    """One product. ``minor`` is the price of its first SKU."""

    handle: str
    title: Texts
    about: Texts
    category: str
    kind: str
    icon: str
    minor: int
    axes: tuple[Axis, ...] = ()
    weight_g: int = 0
    stock: int = 60
    facts: tuple[tuple[str, str], ...] = ()

    def variants(self) -> list[tuple[tuple[str, ...], int]]:
        """Return each SKU's option values and price."""
        return [
            (tuple(value for value, _ in chosen), self.minor + sum(extra for _, extra in chosen))
            for chosen in product(*(axis.values for axis in self.axes))
        ]


@dataclass(frozen=True)
class Shop:
    """A merchant and what it sells."""

    key: str
    name: Texts
    about: Texts
    freight_minor: int
    free_from_minor: int | None
    commission_bps: int
    lines: tuple[Line, ...] = field(default=())


_WEIGHT = Axis("Weight", (("50 g", 0), ("100 g", 2800), ("250 g", 8600)))
_SIZE = Axis("Size", (("S", 0), ("M", 0), ("L", 0), ("XL", 1000)))
_COLOUR = Axis("Colour", (("Ink", 0), ("Oat", 0), ("Moss", 500)))
_DIAMETER = Axis("Diameter", (("18 cm", 0), ("24 cm", 3000), ("28 cm", 6000)))
_FORMAT = Axis("Ruling", (("Plain", 0), ("Grid", 0), ("Lines", 0)))
_LENGTH = Axis("Length", (("1 m", 0), ("2 m", 900)))


def _mountain_tea() -> Iterator[Line]:
    leaves = (
        ("longjing", "Longjing", "龙井", 6800),
        ("biluochun", "Biluochun", "碧螺春", 7200),
        ("maofeng", "Maofeng", "毛峰", 5200),
        ("tieguanyin", "Tieguanyin", "铁观音", 5600),
        ("dahongpao", "Dahongpao", "大红袍", 9800),
        ("puer", "Ripe Pu'er", "普洱熟茶", 4600),
        ("keemun", "Keemun black tea", "祁门红茶", 4900),
        ("jasmine", "Jasmine tea", "茉莉花茶", 3800),
    )
    harvests = (
        ("mingqian", "first-flush", "明前", 3000, "picked in late March", "三月下旬采摘"),
        ("yuqian", "spring", "雨前", 1200, "picked before the April rains", "谷雨前采摘"),
        ("qiu", "autumn", "秋", 0, "picked in autumn", "秋季采摘"),
    )
    for (key, en, zh, minor), (harvest, en_h, zh_h, extra, when_en, when_zh) in product(leaves, harvests):
        yield Line(
            handle=f"{key}-{harvest}",
            title=(f"{en}, {en_h}", f"{zh_h}{zh}"),
            about=(
                f"{en}, {when_en}, fired in small pans, twenty kilos a batch.",
                f"{when_zh}，小锅炒制，每批不超过二十公斤。",
            ),
            category="tea-leaves",
            kind="physical",
            icon="leaf",
            minor=minor + extra,
            axes=(_WEIGHT,),
            weight_g=120,
            facts=(("Storage", "cool, dry, sealed"), ("Shelf life", "18 months")),
        )
    wares = (
        ("gaiwan", "gaiwan", "盖碗", 8800),
        ("teapot", "teapot", "茶壶", 15800),
        ("cup", "tasting cup", "品茗杯", 2800),
        ("pitcher", "fairness pitcher", "公道杯", 5800),
    )
    clays = (
        ("celadon", "Celadon", "青瓷", 0),
        ("rough", "Stoneware", "粗陶", -800),
        ("white", "Sweet-white", "甜白釉", 2600),
        ("glass", "Glass", "玻璃", -1200),
    )
    for (key, en, zh, minor), (clay, en_c, zh_c, extra) in product(wares, clays):
        yield Line(
            handle=f"{clay}-{key}",
            title=(f"{en_c} {en}", f"{zh_c}{zh}"),
            about=(f"A {en} made by hand; no two are quite alike.", f"{zh_c}手工{zh}，每只略有不同。"),
            category="tea-ware",
            kind="physical",
            icon="cup",
            minor=minor + extra,
            weight_g=450,
            stock=25,
            facts=(("Material", en_c), ("Dishwasher", "no")),
        )


def _thread_and_needle() -> Iterator[Line]:
    cuts = (
        ("shirt", "shirt", "shirt", "衬衫", 16900),
        ("tee", "shirt", "T-shirt", "T恤", 7900),
        ("jacket", "shirt", "jacket", "外套", 32900),
        ("jumper", "shirt", "jumper", "毛衣", 25900),
        ("vest", "shirt", "vest", "马甲", 13900),
    )
    cloths = (
        ("linen", "Linen", "亚麻", 2000),
        ("cotton", "Cotton", "纯棉", 0),
        ("hemp", "Ramie", "苎麻", 3000),
        ("wool", "Wool", "羊毛", 6000),
        ("denim", "Denim", "牛仔", 1000),
    )
    for (key, icon, en, zh, minor), (cloth, en_c, zh_c, extra) in product(cuts, cloths):
        yield Line(
            handle=f"{cloth}-{key}",
            title=(f"{en_c} {en}", f"{zh_c}{zh}"),
            about=(f"A loosely cut {en_c.lower()} {en}, washed before sale.", f"宽松版型的{zh_c}{zh}，成衣水洗。"),
            category="clothing-tops",
            kind="physical",
            icon=icon,
            minor=minor + extra,
            axes=(_SIZE, _COLOUR),
            weight_g=400,
            stock=18,
            facts=(("Material", f"100% {en_c.lower()}"), ("Care", "30 °C, line dry")),
        )
    bags = (
        ("tote", "tote bag", "托特包", 9900),
        ("satchel", "satchel", "斜挎包", 14900),
        ("pouch", "pouch", "收纳包", 4900),
    )
    for (key, en, zh, minor), (cloth, en_c, zh_c, extra) in product(bags, cloths[:4]):
        yield Line(
            handle=f"{cloth}-{key}",
            title=(f"{en_c} {en}", f"{zh_c}{zh}"),
            about=(f"A {en_c.lower()} {en} with a pocket for a bottle.", f"{zh_c}{zh}，内袋可放水杯。"),
            category="clothing-bags",
            kind="physical",
            icon="bag",
            minor=minor + extra,
            axes=(_COLOUR,),
            weight_g=350,
            stock=30,
        )


def _full_grain_kitchen() -> Iterator[Line]:
    pans = (
        ("pan", "frying pan", "平底锅", 19900),
        ("wok", "wok", "炒锅", 23900),
        ("pot", "stock pot", "汤锅", 26900),
        ("steamer", "steamer", "蒸笼", 8900),
    )
    metals = (
        ("iron", "Cast-iron", "铸铁", 0),
        ("steel", "Carbon-steel", "精钢", 2000),
        ("clad", "Clad-steel", "三层钢", 8000),
    )
    for (key, en, zh, minor), (metal, en_m, zh_m, extra) in product(pans, metals):
        yield Line(
            handle=f"{metal}-{key}",
            title=(f"{en_m} {en}", f"{zh_m}{zh}"),
            about=(
                f"A {en_m.lower()} {en}, seasoned, for gas and induction.",
                f"{zh_m}{zh}，开锅即用，燃气与电磁炉通用。",
            ),
            category="home-kitchen",
            kind="physical",
            icon="bowl",
            minor=minor + extra,
            axes=(_DIAMETER,),
            weight_g=1900,
            stock=20,
            facts=(("Hob", "gas, induction, ceramic"),),
        )
    tools = (
        ("cleaver", "cleaver", "菜刀", 15900),
        ("board", "cutting board", "砧板", 8900),
        ("spatula", "spatula", "锅铲", 2900),
        ("ladle", "ladle", "汤勺", 2900),
        ("chopsticks", "chopsticks", "筷子", 1900),
        ("bowl", "rice bowl", "饭碗", 2200),
    )
    woods = (("walnut", "Walnut", "胡桃木", 2000), ("bamboo", "Bamboo", "竹", 0), ("beech", "Beech", "榉木", 800))
    for (key, en, zh, minor), (wood, en_w, zh_w, extra) in product(tools, woods):
        yield Line(
            handle=f"{wood}-{key}",
            title=(f"{en_w} {en}", f"{zh_w}{zh}"),
            about=(
                f"A {en} of {en_w.lower()}, finished with nothing but food-grade oil.",
                f"{zh_w}{zh}，表面只涂食用油。",
            ),
            category="home-kitchen",
            kind="physical",
            icon="tool",
            minor=minor + extra,
            weight_g=300,
            stock=80,
        )
    lamps = (
        ("desk", "desk lamp", "台灯", 16900),
        ("floor", "floor lamp", "落地灯", 35900),
        ("night", "night light", "小夜灯", 4900),
    )
    shades = (
        ("paper", "Paper-shade", "宣纸", 0),
        ("linen", "Linen-shade", "亚麻罩", 1500),
        ("brass", "Brass", "黄铜", 6000),
    )
    for (key, en, zh, minor), (shade, en_s, zh_s, extra) in product(lamps, shades):
        yield Line(
            handle=f"{shade}-{key}",
            title=(f"{en_s} {en}", f"{zh_s}{zh}"),
            about=(f"A dimmable {en} with warm light.", f"暖光{zh}，可调亮度。"),
            category="home-lighting",
            kind="physical",
            icon="lamp",
            minor=minor + extra,
            weight_g=1200,
            stock=15,
            facts=(("Light", "2700 K, dimmable"), ("Plug", "CN")),
        )


def _lamplight_books() -> Iterator[Line]:
    papers = (
        ("notebook", "notebook", "笔记本", 3900),
        ("diary", "diary", "手账", 5900),
        ("sketchbook", "sketchbook", "速写本", 4900),
        ("letter-set", "letter set", "信笺套装", 2900),
    )
    covers = (
        ("cloth", "Cloth-bound", "布面", 1000),
        ("kraft", "Kraft", "牛皮纸", 0),
        ("silk", "Brocade", "宋锦", 3000),
        ("leather", "Leather", "植鞣革", 8000),
    )
    for (key, en, zh, minor), (cover, en_c, zh_c, extra) in product(papers, covers):
        yield Line(
            handle=f"{cover}-{key}",
            title=(f"{en_c} {en}", f"{zh_c}{zh}"),
            about=(f"A {en_c.lower()} {en} of cream paper that lies flat.", f"{zh_c}{zh}，道林纸，可平摊。"),
            category="books-paper",
            kind="physical",
            icon="book",
            minor=minor + extra,
            axes=(_FORMAT,),
            weight_g=320,
            stock=45,
        )
    subjects = (
        ("tea", "tea", "茶"),
        ("cooking", "home cooking", "家常菜"),
        ("gardens", "gardens", "园林"),
        ("calligraphy", "calligraphy", "书法"),
        ("walking", "walking", "徒步"),
        ("astronomy", "stargazing", "观星"),
        ("repair", "mending", "修缮"),
        ("bread", "bread", "面包"),
    )
    kinds = (
        ("handbook", "handbook", "手册", 2900, "All of it in one volume.", "一册讲清楚。"),
        ("journal", "journal", "随笔", 1900, "Ten years of the author's notes.", "作者十年的笔记。"),
        ("course", "beginner's course", "入门课", 4900, "Twelve lessons with exercises.", "十二讲，附练习。"),
    )
    for (key, en, zh), (kind, en_k, zh_k, minor, text_en, text_zh) in product(subjects, kinds):
        yield Line(
            handle=f"{key}-{kind}",
            title=(f"A {en_k} of {en} (e-book)", f"{zh}{zh_k}（电子书）"),
            about=(text_en, text_zh),
            category="books-digital",
            kind="virtual",
            icon="book",
            minor=minor,
            stock=500,
            facts=(("Format", "EPUB, PDF"),),
        )


def _digital_harbour() -> Iterator[Line]:
    goods = (
        ("case", "phone", "phone case", "手机壳", 4900, "digital-accessories"),
        ("stand", "phone", "phone stand", "手机支架", 3900, "digital-accessories"),
        ("cable", "phone", "charging cable", "数据线", 2900, "digital-accessories"),
        ("charger", "phone", "charger", "充电器", 8900, "digital-accessories"),
        ("earphones", "phone", "earphones", "耳机", 15900, "digital-accessories"),
        ("power-bank", "phone", "power bank", "充电宝", 12900, "digital-accessories"),
    )
    makes = (
        ("slim", "Slim", "轻薄", 0),
        ("tough", "Tough", "防摔", 1500),
        ("fast", "Fast", "快充", 2500),
        ("travel", "Travel", "旅行", 1000),
    )
    for (key, icon, en, zh, minor, category), (make, en_m, zh_m, extra) in product(goods, makes):
        yield Line(
            handle=f"{make}-{key}",
            title=(f"{en_m} {en}", f"{zh_m}{zh}"),
            about=(f"A {en_m.lower()} {en} with two years of warranty.", f"{zh_m}款{zh}，两年质保。"),
            category=category,
            kind="physical",
            icon=icon,
            minor=minor + extra,
            axes=(_LENGTH,) if key == "cable" else (_COLOUR,),
            weight_g=150,
            stock=70,
        )
    vouchers = (
        ("cinema", "cinema", "电影票", (3900, 7600)),
        ("coffee", "coffee", "咖啡", (2000, 5000)),
        ("music", "music", "音乐会员", (1500, 16800)),
        ("cloud", "cloud storage", "网盘会员", (1200, 12800)),
        ("bakery", "bakery", "面包房", (3000, 10000)),
    )
    for key, en, zh, amounts in vouchers:
        for number, minor in enumerate(amounts, 1):
            yield Line(
                handle=f"{key}-voucher-{number}",
                title=(f"{en.capitalize()} voucher, {minor // 100} yuan", f"{zh}电子券 {minor // 100} 元"),
                about=("The code is sent once it is paid; valid for a year.", "付款后发送券码，一年内有效。"),
                category="digital-vouchers",
                kind="virtual",
                icon="ticket",
                minor=minor,
                stock=300,
            )


def _neighbours() -> Iterator[Line]:
    jobs = (
        ("cleaning", "cleaning", "保洁", 12000),
        ("air-con", "air-conditioner cleaning", "空调清洗", 9900),
        ("locks", "lock fitting", "换锁", 18000),
        ("plumbing", "plumbing", "水管维修", 15000),
        ("furniture", "furniture assembly", "家具安装", 8000),
        ("moving", "small removals", "小件搬运", 16000),
    )
    lengths = Axis("Hours", (("2 h", 0), ("4 h", 9000), ("8 h", 24000)))
    times = (("weekday", "weekday", "工作日", 0), ("weekend", "weekend", "周末", 3000))
    for (key, en, zh, minor), (when, en_w, zh_w, extra) in product(jobs, times):
        yield Line(
            handle=f"{key}-{when}",
            title=(f"{en.capitalize()} at home, {en_w}", f"{zh}上门服务（{zh_w}）"),
            about=(
                "A licensed worker comes to you; you check the work before it counts as done.",
                "持证师傅上门，先验收后付尾款。",
            ),
            category="services",
            kind="service",
            icon="tool",
            minor=minor + extra,
            axes=(lengths,),
            stock=12,
        )


SHOPS: tuple[Shop, ...] = (
    Shop("tea", ("Mountain Tea House", "山间茶事"), ("A tea house in the Wuyi hills.", "福建武夷山的一家茶庄。"),
         800, 19900, 300, tuple(_mountain_tea())),
    Shop("thread", ("Thread and Needle", "一针一线"), ("Clothes of natural cloth, in small runs.", "小批量天然面料服饰。"),
         1000, 29900, 500, tuple(_thread_and_needle())),
    Shop("kitchen", ("Full Grain Kitchen", "小满厨房"), ("Things for the kitchen and the lamp-lit table.", "厨房与灯下的器物。"),
         1200, 39900, 400, tuple(_full_grain_kitchen())),
    Shop("books", ("Lamplight Books", "灯下书房"), ("Paper, and books without paper.", "纸本与电子书。"),
         600, 9900, 300, tuple(_lamplight_books())),
    Shop("harbour", ("Digital Harbour", "数码港"), ("Accessories and vouchers.", "配件与卡券。"),
         500, 9900, 600, tuple(_digital_harbour())),
    Shop("neighbours", ("Neighbours at Home", "邻里到家"), ("Services at your door.", "社区上门服务。"),
         0, None, 800, tuple(_neighbours())),
)  # fmt: skip
