//! Flat tables: topics in languages other than English, and translation.
//!
//! Written for this project; each topic has word lists of its own inside its frames, so that no sentence mixes languages by
//! accident (people who ask for a translation do mix them). See the module above for what the holes mean.

use super::Topic;

/// The topics.
pub(super) const TOPICS: &[Topic] = &[
    Topic {
        name: "translation",
        weight: 4.0,
        tasks: &[
            "Translate into {language}: \"{note} {note}\"",
            "Translate this {email|label|review|notice} from English to {language} for {audience}: {review}",
            "What does \"{an animal} in the {everyday_object}\" mean in {language}? My {relative} says it all the time.",
            "Is this {language} translation of \"{note}\" natural, or does it sound like a machine wrote it?",
            "Give me {three|four} {language} versions of \"{product_blurb}\" with different levels of politeness.",
            "Localise for {country}: dates, currency, tone. \"{mail_body}\"",
            "Translate the recipe for {dish} into {language}, converting cups and ounces.",
        ],
        contexts: &[
            "It will be printed on {20-9000/20} {product}s.",
            "The reader is {an profession} from {city}.",
            "I know a little {language}, enough to check it.",
        ],
        wishes: &[
            "Keep names as they are.",
            "Formal address.",
            "Keep the line breaks.",
            "Explain words that have no equivalent.",
            "Only the translation, nothing else.",
        ],
    },
    Topic {
        name: "Chinese",
        weight: 3.0,
        tasks: &[
            "请{帮我|替我}写一封{邮件|信|通知}给{客户|房东|同事|老师|供应商},{说明|解释}为什么{项目|货物|报告|装修}要推迟{2-9}天。",
            "用{简单|通俗|专业}的语言解释{量子力学|通货膨胀|光合作用|区块链|免疫系统|机器学习|复利}。",
            "{周末|国庆|春节|暑假}带{父母|孩子|女朋友|两个朋友}去{成都|西安|杭州|厦门|昆明|哈尔滨|桂林}玩{2-6}天,怎么安排比较好?",
            "{西红柿炒鸡蛋|红烧肉|麻婆豆腐|糖醋排骨|酸辣土豆丝|清蒸鱼}怎么做才{不油腻|入味|嫩|正宗}?家里只有{电饭锅|平底锅|烤箱}。",
            "写一首关于{秋天|故乡|大海|母亲|离别|月亮}的{诗|歌词|短文},{八句|四段|两百字}左右。",
            "帮我把这段话改得{更正式|更简洁|更亲切}一点:我们公司今年的{销售额|成本|用户数}比去年{增加|减少}了{5-60}%,主要原因是{市场变化|原材料涨价|新产品上线|人员调整}。",
            "小{明|红|刚|丽}有{12-90}元,买了{2-9}本{笔记本|练习册|漫画},每本{3-9}元,还剩多少钱?请写出计算过程。",
            "面试{会计|产品经理|护士|司机|工程师}的时候,被问到{缺点|离职原因|期望薪资}应该怎么回答?",
            "{Python|Java|Excel}里怎么把{日期|姓名|金额|地址}这一列{拆分|去重|排序|合并}?数据大概有{2-90}万行。",
            "给{三|五|八}岁的孩子讲一个关于{小狐狸|月亮船|老钟表|会说话的树}的睡前故事。",
        ],
        contexts: &[
            "我在{上海|北京|广州|武汉}一家{贸易|科技|物流|教育}公司上班。",
            "情况是这样的:{客户上周才确认|预算只有{2-9}千元|老板明天就要看|我是新手}。",
            "我的{妈妈|室友|同事}觉得这样不行。",
        ],
        wishes: &["不要太长。", "请分点列出。", "语气要客气。", "最好举{两|三}个例子。", "用表格。"],
    },
    Topic {
        name: "Spanish",
        weight: 2.0,
        tasks: &[
            "Escribe un {correo|mensaje|informe breve} para {mi jefe|la casera|un cliente|la profesora de mi hijo} explicando que {llegaré tarde el {lunes|martes|jueves}|no puedo pagar hasta {marzo|junio|octubre}|el pedido llegó roto}.",
            "¿Cómo se prepara {una tortilla de patatas|un gazpacho|arroz con leche|un mole|unas arepas} para {2-12} personas {sin huevo|sin gluten|en menos de {20-60} minutos}?",
            "Explícame {la fotosíntesis|la inflación|el teorema de Pitágoras|la guerra civil española|el interés compuesto} como si tuviera {6-14} años.",
            "¿Qué ver en {Sevilla|Oaxaca|Buenos Aires|Cartagena|Cusco|Bilbao} en {2-5} días con {niños|poco dinero|mis suegros}?",
            "Corrige este texto y explica los errores: \"Haber si nos vemos el {viernes|sábado}, yo a echo la {tarea|cena|compra} y ai {3-20} personas\".",
            "Hazme una rutina de ejercicio de {10-40} minutos para {la espalda|las piernas|perder peso|embarazadas}, sin material.",
            "Resume en {tres|cinco} puntos las ventajas de {alquilar|comprar|teletrabajar|estudiar de noche} en {España|México|Chile|Colombia}.",
        ],
        contexts: &[
            "Llevo {2-15} años viviendo en {Madrid|Bogotá|Lima|Valencia}.",
            "Mi {hermana|vecino|compañera} dice que es fácil, pero a mí no me sale.",
            "Tengo que entregarlo el {lunes|miércoles|viernes}.",
        ],
        wishes: &[
            "Sé breve, por favor.",
            "Con ejemplos.",
            "Tono formal.",
            "En forma de lista.",
            "Sin palabras técnicas.",
        ],
    },
    Topic {
        name: "German",
        weight: 2.0,
        tasks: &[
            "Schreibe eine {Kündigung|Beschwerde|Einladung|Entschuldigung} an {den Vermieter|das Fitnessstudio|die Versicherung|die Schule}, {Frist|Termin} ist der {3-28}. {März|Mai|August|November}.",
            "Wie funktioniert {eine Wärmepumpe|die gesetzliche Rente|ein Differential|die Mehrwertsteuer|Photosynthese}? Bitte für {Laien|eine {7|8|9}. Klasse|meine Oma} erklären.",
            "Plane ein Wochenende in {Leipzig|Salzburg|Bremen|Basel|Regensburg} für {2-6} Personen mit {Hund|Kinderwagen|Regenwetter}.",
            "Welche Unterlagen brauche ich für {den Elternantrag|die Steuererklärung {2021-2024}|die Ummeldung|einen Bauantrag} in {Hamburg|Wien|Zürich|Bayern}?",
            "Rezept für {Käsespätzle|Linsensuppe|Apfelkuchen|Rouladen|Kartoffelsalat} {ohne Fleisch|für {8-30} Gäste|aus dem Backofen}, Zubereitung unter {25-90} Minuten.",
            "Formuliere das höflicher: \"Die {Lieferung|Rechnung|Antwort} ist seit {3-40} Tagen überfällig, was soll das?\"",
            "Meine {Tochter|Kollegin|Nachbarin} {redet nicht mehr mit mir|will alles umbauen|kommt immer zu spät}. Wie spreche ich das an?",
        ],
        contexts: &[
            "Ich wohne seit {2-30} Jahren in {Köln|Graz|Bern|Dresden}.",
            "Es geht um einen Betrag von {40-4000/20} Euro.",
            "Am Telefon hat man mir {zweimal|dreimal} etwas anderes gesagt.",
        ],
        wishes: &["Bitte kurz.", "In der Sie-Form.", "Mit Quellenangabe.", "Als Tabelle.", "Keine Floskeln."],
    },
    Topic {
        name: "Russian",
        weight: 1.5,
        tasks: &[
            "Напиши {письмо|жалобу|объявление} {хозяйке квартиры|в банк|в школу|соседям} о том, что {сломался лифт|задержали зарплату|перенесли встречу на {2-9} дней}.",
            "Объясни {ребёнку {5-12} лет|бабушке|школьнику}, что такое {инфляция|гравитация|процессор|нейронная сеть|ипотека}.",
            "Что посмотреть в {Казани|Калининграде|Ереване|Тбилиси|Самаре} за {2-6} дня {с детьми|зимой|без машины}?",
            "Как приготовить {борщ|сырники|плов|окрошку|шарлотку}, если нет {сметаны|духовки|яиц}?",
            "Реши задачу: из двух городов, расстояние между которыми {120-900/10} км, навстречу друг другу выехали {автобус|поезд} со скоростью {50-90} км/ч и машина со скоростью {60-120} км/ч. Когда они встретятся?",
            "Исправь ошибки в тексте: „я живу в {москве|омске|минске} уже {2-20} лет и хочю поменять {работу|квартиру|профессию}“.",
        ],
        contexts: &[
            "Мне {18-70} лет, я работаю {врачом|бухгалтером|водителем|учителем}.",
            "Срок до {понедельника|пятницы|конца месяца}.",
        ],
        wishes: &["Коротко, пожалуйста.", "По шагам.", "Без сложных слов.", "С примерами."],
    },
    Topic {
        name: "Arabic",
        weight: 1.5,
        tasks: &[
            "اكتب {رسالة|بريدا إلكترونيا|طلبا} إلى {المدير|صاحب البيت|المدرسة|شركة التأمين} لتوضيح أن {الدفعة ستتأخر {2-9} أيام|الموعد تغير|الجهاز وصل مكسورا}.",
            "اشرح {التضخم|الجاذبية|الذكاء الاصطناعي|دورة الماء|الفائدة المركبة} بطريقة {بسيطة|مناسبة للأطفال|علمية}.",
            "ما هي أفضل الأماكن في {مراكش|القاهرة|عمان|بيروت|مسقط|تونس} لرحلة {2-7} أيام مع {العائلة|الأصدقاء|الأطفال}؟",
            "كيف أحضر {الكبسة|المقلوبة|الحمص|الملوخية|الكنافة} لعدد {3-12} أشخاص بدون {فرن|زبدة|لحم}؟",
            "لدى {أحمد|سارة|خالد|ليلى} {20-90} تفاحة، أعطى منها {3-9} لكل صديق من أصدقائه {2-5}. كم بقي؟ اشرح الحل.",
            "لخص فوائد {الرياضة|القراءة|العمل عن بعد|تعلم اللغات} في {ثلاث|خمس} نقاط.",
        ],
        contexts: &[
            "أعمل {محاسبا|معلمة|مهندسا|ممرضة} منذ {2-20} سنة.",
            "الوقت المتاح {يومان|أسبوع|{10-60} دقيقة} فقط.",
        ],
        wishes: &["باختصار من فضلك.", "مع أمثلة.", "بأسلوب رسمي.", "على شكل جدول."],
    },
    Topic {
        name: "Hindi",
        weight: 1.5,
        tasks: &[
            "{मकान मालिक|प्रधानाचार्य|बैंक मैनेजर|ग्राहक} को एक {पत्र|ईमेल|आवेदन} लिखिए कि {2-9} दिन की {छुट्टी|देरी|मोहलत} क्यों चाहिए।",
            "{महंगाई|गुरुत्वाकर्षण|प्रकाश संश्लेषण|चक्रवृद्धि ब्याज|इंटरनेट} क्या है? {सरल भाषा में|बच्चों के लिए|उदाहरण सहित} समझाइए।",
            "{जयपुर|वाराणसी|शिमला|मुंबई|ऋषिकेश} में {2-6} दिन {परिवार|दोस्तों|बच्चों} के साथ क्या देखें?",
            "{राजमा|पनीर बटर मसाला|खिचड़ी|गाजर का हलवा|पोहा} {3-12} लोगों के लिए कैसे बनाएं, {बिना प्याज|कम तेल में|कुकर में}?",
            "एक दुकानदार ने {12-90} किताबें {40-90} रुपये में खरीदीं और {5-30}% लाभ पर बेचीं। कुल लाभ कितना हुआ?",
            "{वर्षा|माँ|गाँव|समय} पर {आठ|दस|बारह} पंक्तियों की कविता लिखिए।",
        ],
        contexts: &["मैं {दिल्ली|भोपाल|पटना|पुणे} में {2-20} साल से रहता हूँ।", "मेरी परीक्षा {सोमवार|बुधवार|शुक्रवार} को है।"],
        wishes: &["संक्षेप में बताइए।", "चरण दर चरण।", "औपचारिक भाषा में।", "दो उदाहरण दीजिए।"],
    },
    Topic {
        name: "French and Portuguese",
        weight: 1.5,
        tasks: &[
            "Rédige {un courriel|une lettre|une annonce} pour {mon propriétaire|la mairie|un recruteur|mes voisins} : {le chauffage est en panne depuis {2-20} jours|je cherche un {deux|trois}-pièces à {Lyon|Nantes|Lille}|la réunion est reportée au {lundi|jeudi}}.",
            "Explique {la photosynthèse|l'inflation|la relativité|la laïcité} à un enfant de {6-13} ans, avec {un exemple|un dessin en mots|trois phrases}.",
            "Que cuisiner avec {des courgettes|du potiron|des pois chiches|des restes de riz} et {du chèvre|des œufs|du lait de coco} pour {2-9} personnes ?",
            "Escreva {um e-mail|uma carta|um anúncio} para {o senhorio|um cliente|a escola} dizendo que {vou atrasar {2-9} dias|o produto chegou quebrado|preciso remarcar para {segunda|quinta}-feira}.",
            "Como faço {pão de queijo|bacalhau com natas|feijão tropeiro|pastel de nata} {sem forno|para {6-20} pessoas|sem lactose}?",
            "Monte um roteiro de {2-7} dias em {Salvador|Coimbra|Florianópolis|Évora} {com crianças|gastando pouco|em {julho|fevereiro}}.",
        ],
        contexts: &[],
        wishes: &[],
    },
];
